import KMSPlatform

/// The parts of a request that the service needs before its body.
struct RequestHead: Sendable, Equatable {
    var method: String
    /// The request target as received: path and query, percent-encoded.
    var target: String
    var timestamp: String?
    var accessKey: String?
    var signature: String?
    var token: String?

    init(
        method: String, target: String, timestamp: String? = nil, accessKey: String? = nil, signature: String? = nil,
        token: String? = nil
    ) {
        self.method = method
        self.target = target
        self.timestamp = timestamp
        self.accessKey = accessKey
        self.signature = signature
        self.token = token
    }
}

/// The headers of the API.
enum HeaderName {
    static let timestamp = "x-ncp-apigw-timestamp"
    static let accessKey = "x-ncp-iam-access-key"
    static let signature = "x-ncp-apigw-signature-v2"
    static let token = "x-ncp-ocapi-token"
    static let requestID = "x-ncp-apigw-request-id"
}

/// The destination of a request target.
enum Route: Equatable {
    /// `/kms/v1/keys/{keyTag}/get-pub-key`; the tag is decoded.
    case getPublicKey(keyTag: String)
    /// `/_emulator/{name}?{query}`, for tests.
    case control(name: String, query: String)
    /// `/latest/meta-data/iam/security-credentials/{roleID}`, the path of a server's metadata service.
    case serverRole(roleID: String)
    case unknown

    private static let keysPath: StaticString = "/kms/v1/keys/"
    private static let operation: StaticString = "/get-pub-key"
    private static let controlPath: StaticString = "/_emulator/"

    init(target: String) {
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        if path.starts(with: Self.keysPath.bytes) {
            let rest = path.dropFirst(Self.keysPath.utf8CodeUnitCount)
            let tag = rest.prefix { $0 != UInt8(ascii: "/") }
            if !tag.isEmpty, rest.dropFirst(tag.count).elementsEqual(Self.operation.bytes) {
                self = .getPublicKey(keyTag: Self.unescaped(tag))
                return
            }
        } else if path.starts(with: Self.controlPath.bytes) {
            self = .control(
                name: String(path.dropFirst(Self.controlPath.utf8CodeUnitCount)) ?? "",
                query: String(target.utf8.dropFirst(path.count + 1)) ?? "")
            return
        } else if path.starts(with: ServerRole.path.bytes) {
            self = .serverRole(roleID: String(path.dropFirst(ServerRole.path.utf8CodeUnitCount)) ?? "")
            return
        }
        self = .unknown
    }

    /// Decodes `%XX` (RFC 3986, section 2.1); anything else stays unchanged.
    private static func unescaped(_ segment: Substring.UTF8View) -> String {
        guard segment.contains(UInt8(ascii: "%")) else { return String(Substring(segment)) }
        let bytes = Array(segment)
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let byte = UInt8(hexDigits: bytes[index + 1], bytes[index + 2])
            {
                decoded.append(byte)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}
