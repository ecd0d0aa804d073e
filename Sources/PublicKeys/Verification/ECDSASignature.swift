import COpenSSL

enum ECDSASignature {
    /// The DER form of `r` and `s` written one after the other, each half of the bytes. Any numbers will do: whether
    /// they can be a signature is for the verification to say.
    static func der(p1363 bytes: [UInt8]) -> [UInt8]? {
        guard let signature = ECDSA_SIG_new() else { return nil }
        defer { ECDSA_SIG_free(signature) }
        let half = bytes.count / 2
        let r = BN_bin2bn(bytes, Int32(half), nil)
        let s = Array(bytes[half...]).withUnsafeBufferPointer { BN_bin2bn($0.baseAddress, Int32($0.count), nil) }
        // Takes over both numbers, unless one is null.
        guard ECDSA_SIG_set0(signature, r, s) == 1 else {
            BN_free(r)
            BN_free(s)
            return nil
        }
        var encoded: UnsafeMutablePointer<UInt8>?
        let count = i2d_ECDSA_SIG(signature, &encoded)
        defer { CRYPTO_free(encoded, #file, #line) }
        return count > 0 ? Array(UnsafeBufferPointer(start: encoded, count: Int(count))) : nil
    }
}
