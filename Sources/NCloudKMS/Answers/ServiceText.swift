import Platform

/// Text that the service chose: cut so that an answer of ours stays small, and not repeated at all when it holds a secret.
package enum ServiceText {
    /// Twice the longest message that the references show, with room for a key tag in it.
    package static let maximumBytes = 1_024

    /// The first characters of `text` that fit into `maximumBytes` of UTF-8; no character is cut.
    package static func capped(_ text: String) -> String {
        text.prefix(utf8Bytes: maximumBytes)
    }

    static func holdsPrivateKey(_ text: [UInt8]) -> Bool {
        text.holds("PRIVATE KEY".utf8)
    }
}

extension [UInt8] {
    /// Whether other bytes are somewhere in these, one after the other. `firstRange(of:)` of the standard library takes
    /// hundreds of instructions a byte for this.
    func holds(_ wanted: some Collection<UInt8>) -> Bool {
        guard let first = wanted.first else { return true }
        return withUnsafeBytes { bytes in
            var rest = bytes[...]
            while rest.count >= wanted.count, let found = rest.firstIndex(of: first) {
                rest = rest[found...]
                if rest.starts(with: wanted) { return true }
                rest = rest.dropFirst()
            }
            return false
        }
    }
}
