/// Which of NAVER Cloud's separate services holds the keys.
public enum Zone: String, CaseIterable, Sendable {
    /// Global keys.
    case global = "public"
    /// Keys isolated to Korea.
    case korea = "public-kr"
    /// Keys isolated to Japan.
    case japan = "public-jp"
    /// The government cloud.
    case government = "gov"

    /// - Parameter name: a raw value, in lower case.
    /// - Throws: `InvalidValue` named `zone`.
    public init(named name: String) throws(InvalidValue) {
        if name == "fin" {
            throw InvalidValue(
                "zone", "can't be fin: the financial cloud has no KMS API 2.0, so it can't be asked for a public key")
        }
        guard let zone = Zone(rawValue: name) else {
            let names = Zone.allCases.map(\.rawValue).joined(separator: ", ")
            throw InvalidValue("zone", "must be one of \(names)")
        }
        self = zone
    }

    /// The zone's host.
    public var endpoint: Endpoint {
        switch self {
        case .global: Endpoint(httpsHost: "ocapi.ncloud.com")
        case .korea: Endpoint(httpsHost: "ocapi-kr.ncloud.com")
        case .japan: Endpoint(httpsHost: "ocapi-jp.ncloud.com")
        case .government: Endpoint(httpsHost: "ocapi.gov-ncloud.com")
        }
    }
}
