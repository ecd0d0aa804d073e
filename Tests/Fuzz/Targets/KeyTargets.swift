import CKMSOpenSSL
import KMSJSON
import KMSPlatform

@testable import KMSCommands
@testable import KMSPublicKeys
@testable import NCloudKMS

let keyTargets = [
    FuzzTarget("pem", maximumBytes: 2_048, checkPEM),
    FuzzTarget("der", maximumBytes: 512, checkDER),
    FuzzTarget("signature", maximumBytes: 600, checkSignature),
    FuzzTarget("base64", maximumBytes: 256, checkBase64),
]

// MARK: PEM

private func checkPEM(_ input: [UInt8]) throws {
    guard let key = try? PublicKey(pem: input) else { return }
    let text = input.text.trimmingASCIIWhitespace()
    let label = text.hasPrefix("-----BEGIN PUBLIC KEY-----") ? "PUBLIC KEY" : "RSA PUBLIC KEY"
    let (begin, end) = ("-----BEGIN \(label)-----", "-----END \(label)-----")
    try require(text.hasPrefix(begin) && text.hasSuffix(end), "the key is one block")
    let body = text.dropFirst(begin.count).dropLast(end.count).unicodeScalars.filter { !$0.properties.isWhitespace }
    let der = referenceBase64(Array(String(body).utf8))
    try require(der == (label == "PUBLIC KEY" ? key.spki : key.pkcs1), "the DER is the decoded body")

    try require(try PublicKey(pem: key.spkiPEM) == key, "its own PEM is the same key")
    if let pem = key.pkcs1PEM { try require(try PublicKey(pem: pem) == key, "its PKCS#1 is the same key") }
    guard let jwk = ReferenceJSON(Array(key.jwk.utf8)) else { throw BrokenRule(description: "its JWK is JSON") }
    try require(areSame(jwk["kty"]?.string, key.keyType.rawValue), "the JWK's type")
    var verifying = JSONWriter()
    key.writeVerifyingJWK(to: &verifying)
    let set = ReferenceJSON(verifying.bytes)
    try require(set?["alg"]?.string?.hasPrefix("ES") == (key.curve == nil ? nil : true), "the algorithm of a curve")
    try require(areSame(set?["kid"]?.string, key.jwkThumbprint), "a thumbprint names the key")
    guard let line = key.sshLine(comment: "a\nb") else {
        return try require(key.curve == .secp256k1, "OpenSSH supports every other key")
    }
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    let blob = words.count == 3 ? referenceBase64(Array(words[1].utf8)) ?? [] : []
    let name = Array(words[0].utf8)
    try require(words.count == 3 && words[2] == "ab", "a comment stays on the line")
    try require(blob.starts(with: [0, 0, 0, UInt8(name.count)] + name), "the blob begins with the type")
    try require(key.sshFingerprint?.utf8.count == 50, "SHA256: and 43 digits")
}

// MARK: DER

/// The first byte chooses between a SubjectPublicKeyInfo and an RSAPublicKey.
private func checkDER(_ input: [UInt8]) throws {
    guard let first = input.first else { return }
    let der = Array(input.dropFirst())
    let block = PEMBlock(first & 1 == 0 ? .publicKey : .rsaPublicKey, der: der)
    let isAccepted = (try? PublicKeyMaterial(block)) != nil
    let isAcceptable = ReferenceKey(der, isPKCS1: first & 1 == 1)?.isAcceptable ?? false
    try require(isAccepted == isAcceptable, "OpenSSL agrees: ours \(isAccepted), OpenSSL's \(isAcceptable)")
    ERR_clear_error()
}

/// A key that OpenSSL has read, with all bytes, and writes in the same way.
private struct ReferenceKey: ~Copyable {
    private let key: OpaquePointer

    init?(_ der: [UInt8], isPKCS1: Bool) {
        let key = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            guard let base = bytes.baseAddress else { return nil }
            var next: UnsafePointer<UInt8>? = base
            let key =
                isPKCS1 ? d2i_PublicKey(EVP_PKEY_RSA, nil, &next, bytes.count) : d2i_PUBKEY(nil, &next, bytes.count)
            guard let key, next == base + bytes.count else {
                EVP_PKEY_free(key)
                return nil
            }
            return key
        }
        guard let key else { return nil }
        var written: UnsafeMutablePointer<UInt8>?
        let count = isPKCS1 ? i2d_PublicKey(key, &written) : i2d_PUBKEY(key, &written)
        let isSame = count > 0 && Array(UnsafeBufferPointer(start: written, count: Int(count))) == der
        CRYPTO_free(written, #file, #line)
        guard isSame else {
            EVP_PKEY_free(key)
            return nil
        }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// By the rules of `PublicKeyError`, asked of OpenSSL.
    var isAcceptable: Bool {
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA: isAcceptableRSA
        case EVP_PKEY_EC: isAcceptableEC
        default: false
        }
    }

    private var isAcceptableRSA: Bool {
        var (modulus, exponent): (OpaquePointer?, OpaquePointer?)
        defer {
            BN_free(modulus)
            BN_free(exponent)
        }
        guard EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1,
            EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1
        else { return false }
        return (2_048...16_384).contains(BN_num_bits(modulus)) && BN_is_odd(modulus) == 1
            && BN_num_bits(exponent) <= 32 && BN_is_odd(exponent) == 1 && BN_is_one(exponent) == 0
    }

    private var isAcceptableEC: Bool {
        guard let context = EVP_PKEY_CTX_new(key, nil) else { return false }
        defer { EVP_PKEY_CTX_free(context) }
        return ["prime256v1", "secp384r1", "secp521r1", "secp256k1"].contains(text(OSSL_PKEY_PARAM_GROUP_NAME))
            && text(OSSL_PKEY_PARAM_EC_ENCODING) == "named_curve"
            && text(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT) == "uncompressed"
            && EVP_PKEY_public_check_quick(context) == 1
    }

    private func text(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 80)
        guard EVP_PKEY_get_utf8_string_param(key, name, &buffer, buffer.count, nil) == 1 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

// MARK: Signatures

/// The first byte chooses the key and the algorithm, the rest is a signature of "message", or its text.
private func checkSignature(_ input: [UInt8]) throws {
    guard let first = input.first else { return }
    let bytes = Array(input.dropFirst())
    let algorithm = SignatureAlgorithm.allCases[Int(first) % SignatureAlgorithm.allCases.count]
    let hash = algorithm.hash
    let digest = hash.digest(of: Array("message".utf8))
    for key in verifyingKeys where algorithm.fits(key) {
        let isValid = try key.verify(signature: bytes, algorithm: algorithm, message: .digest(digest))
        let isValidByAny = try key.verifyByAnyAlgorithm(signature: bytes, digest: digest, hash: hash)
        try require(!isValid || isValidByAny, "a valid signature is valid by any algorithm")
        if isValid { try require(algorithm.canBeSignature(bytes), "a valid signature looks like one") }
        guard let curve = key.curve else { continue }
        let isValidP1363 = try key.verify(
            signature: bytes, algorithm: algorithm, encoding: .p1363, message: .digest(digest))
        if isValidP1363 {
            try require(bytes.count == 2 * curve.coordinateCount, "both numbers have the full width")
            let der = ECDSASignature.der(p1363: bytes) ?? []
            try require(
                try key.verify(signature: der, algorithm: algorithm, message: .digest(digest)), "DER is valid, too")
        }
    }
    ERR_clear_error()

    let text = bytes.text
    guard let signature = try? ServiceSignature(text) else { return }
    let base64 = text.split(separator: ":", omittingEmptySubsequences: false).last.map(String.init) ?? ""
    try require(referenceBase64(Array(base64.utf8)) == signature.bytes, "the bytes of a signature's text")
    try require(text.hasPrefix("ncpkms:") == (signature.version != nil), "the version of a signature's text")
    try require(try SignatureFile(bytes).signature == signature, "a file of that text has that signature")
}

private let verifyingKeys: [PublicKey] = verifyingSPKIs.compactMap { text in
    Base64.decode(text).flatMap { try? PublicKey(pem: PEMBlock(.publicKey, der: $0).text) }
}

/// Their signatures of "message" are in `Corpus`; nobody has the private keys any more.
private let verifyingSPKIs = [
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb1mgBfm5Dvn5kHbYOuR7KFGCMassFP0tIvH65kNOD++/F+6JLwM0DTg8COpmgxqL"
        + "ICfg5Y0LqLEfkFCEE6xiMQ==",
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAETu7qZkBcI6I1lAXEuVUANB5JO4AbG//ddRaFGaM5+FHuyuv8DJrPr+YJV62aVY+XqzhC"
        + "rPDx9vYS0mBWk+NyiuJtuU1oZEag3aoUeofUV70Rj8ZF9rigYzUQTZeNRZTg",
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAqwKq+ghBhB8qE16Bve2zUqgKSFYd5u2Ty7pt/leNgeJ9P7CVeoUdgu/A7PRbR4N7"
        + "hz/okFpSXJ/MI6oPq7NarbcBCw5lWPDujLF35pT4wRdRj8Wv/aRAd+gVpfx+4yKlucqhaxUtwWHXY4cv6y38Cl4XkDuM7bEw+tHQ"
        + "oYdIuAoSb0U=",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6RR6rqD8kqH9uLYwCtXFRoR5xNaPLMS+xYcFDEVMq3qZySSTuitenIXI"
        + "6RA9lwrzR4zJlJcUi6NY+nNHtjsYrFagLyTt//DJVrvLOL9AuO9RgKeEJC96g2K+sd+lRoFaWlfl9DdTWuo/ne9f4QkPmxKttpca"
        + "Ra89tFtT49QdyxXg/9J1yYetV10/wXjAwIl+zE1+nWxGpnKjJMVsYbmJ35IDTzm7MhrBhXBaFGG9u6peg3mBeA6/hAdwY4Btdivy"
        + "PiWC7i8o8zfOM2cEcWLCZeVMQAhN9DqES7L73OMVveB3cScPXe71zC+A2aD1H8DsE2Nt0Boz3wYwjZN0qxNp4wIDAQAB",
]

// MARK: Base64

/// The first byte chooses whether white space is skipped.
private func checkBase64(_ input: [UInt8]) throws {
    guard let first = input.first else { return }
    let skipsWhitespace = first & 1 == 1
    let text = Array(input.dropFirst())
    let decoded = text.withUnsafeBufferPointer { Base64.decode($0, skipsWhitespace: skipsWhitespace) }
    let solid = skipsWhitespace ? text.filter { !$0.isASCIIWhitespace } : text
    try require(decoded == referenceBase64(solid), "both readers agree")
    if let decoded { try require(Array(Base64.encode(decoded).utf8) == solid, "it is encoded to the same text") }

    let string = text.text
    let any = Base64.decodeAnyAlphabet(string)
    let mixes = string.contains { "+/".contains($0) } && string.contains { "-_".contains($0) }
    var standard = Array(string.utf8.map { $0 == 0x2D ? 0x2B : $0 == 0x5F ? 0x2F : $0 })
    if standard.last != 0x3D { while standard.count % 4 != 0 { standard.append(0x3D) } }
    try require(any == (mixes ? nil : referenceBase64(standard)), "both alphabets")
    let urlText = Base64.encodeForURL(text)
    try require(Base64.decodeAnyAlphabet(urlText) == text, "Base64url can be decoded")
}

/// RFC 4648, section 4, bit by bit: padded, without white space, and with unused bits of zero.
func referenceBase64(_ text: [UInt8]) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let digits = text.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
    guard text.count % 4 == 0, text.count - digits.count <= 2 else { return nil }
    var bits: [Bool] = []
    for digit in digits {
        guard let value = alphabet.firstIndex(of: digit) else { return nil }
        for bit in (0..<6).reversed() { bits.append(value >> bit & 1 == 1) }
    }
    let count = bits.count / 8
    guard bits.count - 8 * count < 6, !bits[(8 * count)...].contains(true) else { return nil }
    return (0..<count).map { byte in (0..<8).reduce(0) { $0 << 1 | (bits[8 * byte + $1] ? 1 : 0) } }
}
