import COpenSSL

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
        [UInt8](unsafeUninitializedCapacity: digestCount) { digest, count in
            let status = EVP_Digest(bytes, bytes.count, digest.baseAddress, nil, algorithm, nil)
            // TLS needs the same functions: an OpenSSL without them could not have fetched anything.
            precondition(status == 1, "this OpenSSL has no SHA-2")
            count = digestCount
        }
    }

    /// OpenSSL's object for it, which is static.
    var algorithm: OpaquePointer? {
        switch self {
        case .sha256: EVP_sha256()
        case .sha384: EVP_sha384()
        case .sha512: EVP_sha512()
        }
    }
}
