import CKMSOpenSSL

/// The hash functions of SHA-2 (FIPS 180-4) that this project uses.
package enum HashFunction: Sendable {
    case sha256
    case sha384
    case sha512

    /// The length of a digest in bytes.
    package var digestCount: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    package func digest(of bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBufferPointer(digest)
    }

    /// Uses functions that need no provider. If OpenSSL's configuration loads none, the connection that can't be opened
    /// must report that, not this function.
    package func digest(of bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: digestCount) { digest, count in
            switch self {
            case .sha256: SHA256(bytes.baseAddress, bytes.count, digest.baseAddress)
            case .sha384: SHA384(bytes.baseAddress, bytes.count, digest.baseAddress)
            case .sha512: SHA512(bytes.baseAddress, bytes.count, digest.baseAddress)
            }
            count = digestCount
        }
    }

    /// OpenSSL's object for the function, which is static.
    var algorithm: OpaquePointer? {
        switch self {
        case .sha256: EVP_sha256()
        case .sha384: EVP_sha384()
        case .sha512: EVP_sha512()
        }
    }
}

/// A digest of a message that is read in parts.
package struct StreamedDigest: ~Copyable {
    private let context: OpaquePointer
    private let function: HashFunction

    /// Nil if OpenSSL is out of memory.
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
        // Fails only for a context without a hash function.
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
