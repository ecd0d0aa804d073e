import JSON
import Platform

/// Remembers the keys that were read from PEM texts, so that the same text is read and checked once.
public final class PublicKeyMemo: Sendable {
    /// As many keys as the client's cache has entries ; about 2 KiB each.
    public static let defaultCapacity = 1_024

    /// A text, hashed in one piece: an array would feed the hasher byte by byte, which takes as long as the parsing.
    private struct Text: Hashable {
        let bytes: [UInt8]

        static func == (left: Text, right: Text) -> Bool {
            left.bytes.withUnsafeBufferPointer { left in
                right.bytes.withUnsafeBufferPointer { left.hasSameBytes(as: $0) }
            }
        }

        func hash(into hasher: inout Hasher) {
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
    }

    private struct State {
        var keys: LRUCache<Text, PublicKey>
        var hits = 0
        var parses = 0
    }

    private let state: Lock<State>

    /// - Parameter capacity: the greatest number of keys, at least 1; beyond it the one used least recently goes.
    public init(capacity: Int = PublicKeyMemo.defaultCapacity) {
        state = Lock(State(keys: LRUCache(capacity: capacity)))
    }

    /// The key of a PEM text: the same object for the same bytes, for as long as it is remembered.
    public func key(forPEM pem: [UInt8]) throws(PublicKeyError) -> PublicKey {
        let text = Text(bytes: pem)
        let known = state.withLock { state -> PublicKey? in
            let known = state.keys.value(forKey: text)
            if known != nil { state.hits += 1 } else { state.parses += 1 }
            return known
        }
        if let known { return known }

        // Outside the lock, so that others are not kept waiting.
        let key = try PublicKey(pem: pem)
        return state.withLock { state in
            // Another thread may have read the same text meanwhile; its key was handed out first.
            if let first = state.keys.value(forKey: text) { return first }
            state.keys.insert(key, forKey: text)
            return key
        }
    }

    /// How often a text was known.
    public var hits: Int { state.withLock { $0.hits } }

    /// How often a text was read because it was not known; failures included.
    public var parses: Int { state.withLock { $0.parses } }
}
