import COpenSSL

/// A digest of a message that comes in pieces.
package struct StreamedDigest: ~Copyable {
    private let context: OpaquePointer
    private let function: HashFunction

    /// Nil if OpenSSL refuses, for want of memory.
    package init?(_ function: HashFunction) {
        guard let context = EVP_MD_CTX_new() else { return nil }
        guard EVP_DigestInit_ex(context, function.algorithm, nil) == 1 else {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
            return nil
        }
        self.context = context
        self.function = function
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        // Fails for a context without a function alone.
        precondition(status == 1, "EVP_DigestUpdate")
    }

    package consuming func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: function.digestCount) { digest, count in
            let status = EVP_DigestFinal_ex(context, digest.baseAddress, nil)
            precondition(status == 1, "EVP_DigestFinal_ex")
            count = function.digestCount
        }
    }
}
