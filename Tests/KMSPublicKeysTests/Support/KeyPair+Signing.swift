import CKMSOpenSSL
import KMSPublicKeys
import Testing

extension SignatureAlgorithm {
    var isPSS: Bool { rawValue.hasPrefix("PS") }
    var isRSA: Bool { !rawValue.hasPrefix("ES") }

    /// A key pair that fits; RSA always the same.
    func newKeyPair() throws -> KeyPair {
        switch self {
        case .es256: try .ec(.p256)
        case .es384: try .ec(.p384)
        case .es512: try .ec(.p521)
        default: try KeyPair.rsa2048.get()
        }
    }

    var digestName: String { "SHA" + rawValue.suffix(3) }
}

extension KeyPair {
    /// Signs with OpenSSL.
    ///
    /// - Parameters:
    ///   - saltLength: of PSS, in bytes or one of OpenSSL's negative values; -1 is that of the hash.
    ///   - mgf1: the hash of MGF1 if not the same.
    func sign(
        _ message: [UInt8], _ algorithm: SignatureAlgorithm, saltLength: Int32 = -1, mgf1: String? = nil
    ) throws -> [UInt8] {
        let context = try #require(EVP_MD_CTX_new())
        defer { EVP_MD_CTX_free(context) }
        let hash = EVP_get_digestbyname(algorithm.digestName)
        var options: OpaquePointer?
        try #require(EVP_DigestSignInit(context, &options, hash, nil, pointer) == 1)
        if algorithm.isPSS {
            try #require(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1)
            try #require(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, saltLength) == 1)
            if let mgf1 { try #require(EVP_PKEY_CTX_set_rsa_mgf1_md(options, EVP_get_digestbyname(mgf1)) == 1) }
        }
        var count = 0
        try #require(EVP_DigestSign(context, nil, &count, message, message.count) == 1)
        var signature = [UInt8](repeating: 0, count: count)
        try #require(EVP_DigestSign(context, &signature, &count, message, message.count) == 1)
        return Array(signature.prefix(count))
    }

    /// RSA's private operation on a whole block, whatever is in it: a signature of any encoded message.
    func signRaw(_ block: [UInt8]) throws -> [UInt8] {
        let context = try #require(EVP_PKEY_CTX_new(pointer, nil))
        defer { EVP_PKEY_CTX_free(context) }
        try #require(EVP_PKEY_decrypt_init(context) == 1)
        try #require(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1)
        var count = block.count
        var signature = [UInt8](repeating: 0, count: count)
        try #require(EVP_PKEY_decrypt(context, &signature, &count, block, block.count) == 1)
        return signature
    }

    /// The order of an EC key's curve, big-endian.
    func order() throws -> [UInt8] {
        var order: OpaquePointer?
        try #require(EVP_PKEY_get_bn_param(pointer, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1)
        defer { BN_free(order) }
        var bytes = [UInt8](repeating: 0, count: (Int(BN_num_bits(order)) + 7) / 8)
        BN_bn2bin(order, &bytes)
        return bytes
    }
}

/// The two numbers of an ECDSA signature, at the full width of the curve's order.
struct SignatureNumbers {
    var r: [UInt8]
    var s: [UInt8]

    init(der: [UInt8], width: Int) throws {
        let decoded = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var next = bytes.baseAddress
            return d2i_ECDSA_SIG(nil, &next, bytes.count)
        }
        let signature = try #require(decoded)
        defer { ECDSA_SIG_free(signature) }
        (r, s) = ([UInt8](repeating: 0, count: width), [UInt8](repeating: 0, count: width))
        try #require(BN_bn2binpad(ECDSA_SIG_get0_r(signature), &r, Int32(width)) == Int32(width))
        try #require(BN_bn2binpad(ECDSA_SIG_get0_s(signature), &s, Int32(width)) == Int32(width))
    }
}

/// The sum of two big-endian numbers of the same width; one byte longer if there is a carry.
func sum(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
    var carry = 0
    var digits: [UInt8] = []
    for (a, b) in zip(left.reversed(), right.reversed()) {
        carry += Int(a) + Int(b)
        digits.append(UInt8(carry & 0xFF))
        carry >>= 8
    }
    if carry > 0 { digits.append(UInt8(carry)) }
    return digits.reversed()
}
