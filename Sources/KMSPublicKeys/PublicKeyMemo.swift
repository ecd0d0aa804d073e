import KMSJSON
import KMSPlatform

/// Remembers the keys that were read from the answers of a service, so that the same text is read and checked once.
package struct PublicKeyMemo: Sendable {
    /// As many keys as the client's cache has entries; about 2 KiB each.
    package static let defaultCapacity = 1_024

    private var keys: LRUCache<Text, PublicKey>

    /// - Parameter capacity: the maximum number of keys, at least 1; beyond that, the least recently used key is
    ///   dropped.
    package init(capacity: Int = PublicKeyMemo.defaultCapacity) {
        keys = LRUCache(capacity: capacity)
    }

    /// The key in a PEM text that is given as a JSON string. The same spelling of a string yields the same object, as
    /// long as the key is remembered.
    package mutating func key(forPEM pem: JSONValue) throws(PublicKeyError) -> PublicKey {
        // As it was written: to decode it would take as long as to look it up.
        let text = Text(bytes: pem.bytes)
        if let known = keys.value(forKey: text) { return known }
        let key = try PublicKey(pem: Array((pem.string ?? "").utf8))
        keys.insert(key, forKey: text)
        return key
    }

    private struct Text: Hashable {
        let bytes: ArraySlice<UInt8>

        static func == (left: Text, right: Text) -> Bool {
            left.bytes.withUnsafeBufferPointer { left in
                right.bytes.withUnsafeBufferPointer { left.hasSameBytes(as: $0) }
            }
        }

        /// Hashes 32 characters near the end, which belong to the key itself. A service that sends keys with equal ends
        /// slows down only its own answers.
        func hash(into hasher: inout Hasher) {
            bytes.withUnsafeBytes { bytes in
                hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes.dropLast(64).suffix(32)))
            }
        }
    }
}
