import COpenSSL

/// An `EVP_PKEY` that is freed with its last reference.
final class EVPKey: @unchecked Sendable {
    // Sendable: the key is never changed after it was made; what OpenSSL caches inside it is behind its own locks.
    let pointer: OpaquePointer

    /// Takes over the reference; nil for a null pointer, with OpenSSL's error queue emptied.
    init?(owning pointer: OpaquePointer?) {
        guard let pointer else {
            ERR_clear_error()
            return nil
        }
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    /// The key of a DER SubjectPublicKeyInfo. Slow (0.2 ms), so only for what needs an `EVP_PKEY`.
    convenience init?(subjectPublicKeyInfo der: [UInt8]) {
        let pointer = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var next = bytes.baseAddress
            return d2i_PUBKEY(nil, &next, bytes.count)
        }
        self.init(owning: pointer)
    }
}
