import KMSJSON
import KMSPlatform

/// A key as a JSON Web Key (RFC 7517): `kty`, `kid`, then `n` and `e`, or `crv`, `x` and `y`.
struct JWK {
    private typealias Member = (name: String, value: String)

    private let keyType: PublicKey.KeyType
    private let curve: Curve?
    /// The members of the key, except `kty`. The numbers of an RSA key have no leading zeros (RFC 7518, section 6.3.1),
    /// and the coordinates of a point have their full width (section 6.2.1). RFC 8812 adds secp256k1.
    private let numbers: [Member]

    init(_ key: PublicKey) {
        keyType = key.keyType
        curve = key.curve
        numbers =
            switch key.material.numbers {
            case .rsa(let key):
                [
                    (name: "n", value: Base64.encodeForURL(key.modulus)),
                    (name: "e", value: Base64.encodeForURL(key.exponent)),
                ]
            case .ec(let curve, let x, let y):
                [
                    (name: "crv", value: curve.rawValue), (name: "x", value: Base64.encodeForURL(x)),
                    (name: "y", value: Base64.encodeForURL(y)),
                ]
            }
    }

    /// The SHA-256 thumbprint of RFC 7638, in Base64url.
    var thumbprint: String {
        // RFC 7638, section 3: only the required members, ordered by name, without white space.
        let members = (numbers + [(name: "kty", value: keyType.rawValue)]).sorted { $0.name < $1.name }
        var json = JSONWriter()
        json.object { object in
            for member in members { object.member(named: member.name, member.value) }
        }
        return Base64.encodeForURL(HashFunction.sha256.digest(of: json.bytes))
    }

    /// - Parameter isForVerifying: whether to mark the key for verification: with `use`, and for an EC key with `alg`,
    ///   because its curve has only one algorithm (RFC 7518, section 3.4; RFC 8812, section 3.2). An RSA key has
    ///   several, and the service does not say which one it uses.
    func write(to json: inout JSONWriter, isForVerifying: Bool) {
        json.object { object in
            object.member("kty", keyType.rawValue)
            object.member("kid", thumbprint)
            if isForVerifying {
                object.member("use", "sig")
                if let curve { object.member("alg", curve.joseAlgorithm) }
            }
            for number in numbers { object.member(named: number.name, number.value) }
        }
    }
}

extension Curve {
    /// The JOSE signature algorithm for the curve.
    fileprivate var joseAlgorithm: String {
        switch self {
        case .p256: "ES256"
        case .p384: "ES384"
        case .p521: "ES512"
        case .secp256k1: "ES256K"
        }
    }
}
