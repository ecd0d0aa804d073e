import JSON

extension PublicKey {
    /// Writes the key as a JSON Web Key (RFC 7517): `kty`, `kid`, then `n` and `e`, or `crv`, `x` and `y`.
    ///
    /// `kid` is `jwkThumbprint`. There is no `alg` and no `use`: what a key may be used for is the service's to say,
    /// and it does not say it with the key.
    public func writeJWK(to json: inout JSONWriter) {
        writeJWK(to: &json, [])
    }

    /// Writes the key as `writeJWK` does, for a JWK Set of keys that verify signatures: with `use`, and for an EC key
    /// with `alg`, as its curve has one algorithm (RFC 7518, section 3.4; RFC 8812, section 3.2). An RSA key has
    /// several, and nobody says which one signs.
    package func writeVerifyingJWK(to json: inout JSONWriter) {
        let algorithm = curve.map { [(name: "alg", value: $0.joseAlgorithm)] } ?? []
        writeJWK(to: &json, [(name: "use", value: "sig")] + algorithm)
    }

    private func writeJWK(to json: inout JSONWriter, _ usage: [(name: String, value: String)]) {
        json.object { object in
            object.member("kty", keyType.rawValue)
            object.member("kid", jwkThumbprint)
            for member in usage + jwkNumbers { object.member(member.name, member.value) }
        }
    }

    /// The SHA-256 thumbprint of RFC 7638, in Base64url.
    public var jwkThumbprint: String {
        // RFC 7638, section 3: the required members alone, ordered by name, without white space.
        let members = (jwkNumbers + [(name: "kty", value: keyType.rawValue)]).sorted { $0.name < $1.name }
        var json = JSONWriter()
        json.object { object in
            for member in members { object.member(member.name, member.value) }
        }
        return Base64.encodeForURL(HashFunction.sha256.digest(of: json.bytes))
    }

    /// The members that make up the key, but for `kty`. RFC 7518, section 6.3.1: the numbers of an RSA key without
    /// leading zeros; section 6.2.1: the coordinates of a point at full width. RFC 8812 adds secp256k1.
    private var jwkNumbers: [(name: String, value: String)] {
        switch material.numbers {
        case .rsa(let key):
            [
                (name: "n", value: Base64.encodeForURL(Array(key.modulus))),
                (name: "e", value: Base64.encodeForURL(Array(key.exponent))),
            ]
        case .ec(let curve, let x, let y):
            [
                (name: "crv", value: curve.rawValue),
                (name: "x", value: Base64.encodeForURL(Array(x))),
                (name: "y", value: Base64.encodeForURL(Array(y))),
            ]
        }
    }
}

extension Curve {
    /// The signature algorithm of JOSE that belongs to the curve.
    fileprivate var joseAlgorithm: String {
        switch self {
        case .p256: "ES256"
        case .p384: "ES384"
        case .p521: "ES512"
        case .secp256k1: "ES256K"
        }
    }
}
