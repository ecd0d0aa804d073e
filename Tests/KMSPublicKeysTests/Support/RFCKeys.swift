import KMSPlatform
import KMSPublicKeys

/// Keys that RFCs print.
enum RFCKeys {
    /// RFC 7517, appendix A.1, and RFC 7638, section 3.1.
    static let rsa2048 = (
        n: """
        0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3\
        oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA\
        ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-\
        kEgU8awapJzKnqDKgw
        """,
        e: "AQAB"
    )
    /// RFC 7517, appendix A.1.
    static let p256 = (
        x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
    )
    /// RFC 7520, section 3.3.
    static let bilboRSA = (
        n: """
        n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2w\
        qVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT\
        wJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5\
        iaiQkqgc5gHdrNP5zw
        """,
        e: "AQAB"
    )
    /// RFC 7520, section 3.1. Both coordinates begin with zeros.
    static let bilboP521 = (
        x: "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
        y: "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"
    )

    static func key(rsa: (n: String, e: String)) throws -> PublicKey {
        let pkcs1 = try DER.rsaPKCS1(modulus: decodeBase64URL(rsa.n), exponent: decodeBase64URL(rsa.e))
        return try PublicKey(pem("RSA PUBLIC KEY", pkcs1))
    }

    static func key(p256 point: (x: String, y: String)) throws -> PublicKey {
        try PublicKey(pem("PUBLIC KEY", DER.p256SPKI([4] + decodeBase64URL(point.x) + decodeBase64URL(point.y))))
    }

    static func key(p521 point: (x: String, y: String)) throws -> PublicKey {
        let secp521r1: [UInt8] = [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]
        let bits = try DER.bitString([4] + decodeBase64URL(point.x) + decodeBase64URL(point.y))
        return try PublicKey(pem("PUBLIC KEY", DER.sequence(DER.sequence(DER.ecPublicKey, secp521r1), bits)))
    }

    /// What the signatures of RFC 7520, section 4, are made over: header and payload, in Base64url.
    static func signingInput(_ algorithm: SignatureAlgorithm) -> [UInt8] {
        let header = #"{"alg":"\#(algorithm.rawValue)","kid":"bilbo.baggins@hobbiton.example"}"#
        let payload = """
            It\u{2019}s a dangerous business, Frodo, going out your door. You step onto the \
            road, and if you don't keep \
            your feet, there\u{2019}s no knowing where you might be swept off to.
            """
        return Array("\(Base64.encodeForURL(Array(header.utf8))).\(Base64.encodeForURL(Array(payload.utf8)))".utf8)
    }
}
