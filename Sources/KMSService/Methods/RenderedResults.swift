import KMSJSON
import NCloudKMS
import KMSPlatform

/// Results rendered from cached keys, by the bytes of the parameters that asked for them: so a call like one before it
/// is neither parsed nor rendered again.
///
/// A result says which fetch it was rendered from. Whether the cache would still answer with that fetch is for the
/// cache to say, each time.
final class RenderedResults: @unchecked Sendable {
    // Sendable: only the loop's thread reaches `sets`, in two methods that check that they are on it.

    /// Parameters that hold every option have less; longer ones are not remembered.
    static let maximumParameterBytes = 512
    /// A key of 4,096 bits in all formats has less; with it the memory is bounded.
    static let maximumResultBytes = 8 << 10
    /// Twice the capacity of the cache, in sets of four, so that few calls for cached keys drive each other out.
    private static let setCount = 512
    private static let setSize = 4

    final class Known: Sendable {
        let query: PublicKeyQuery
        let fetched: FetchedKey
        let result: RenderedKey
        fileprivate let params: [UInt8]
        fileprivate let hash: UInt64

        fileprivate init(
            _ result: RenderedKey, _ fetched: FetchedKey, _ query: PublicKeyQuery, params: [UInt8], hash: UInt64
        ) {
            self.query = query
            self.fetched = fetched
            self.result = result
            self.params = params
            self.hash = hash
        }

        fileprivate func isFor(_ bytes: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Bool {
            self.hash == hash && params.withUnsafeBufferPointer(bytes.hasSameBytes)
        }
    }

    /// Set after set; within one, the one remembered last comes first.
    private var sets = [Known?](repeating: nil, count: setCount * setSize)
    private let loop: EventLoop

    /// - Parameter loop: that of the calls.
    init(on loop: EventLoop) {
        self.loop = loop
    }

    static func remembers(_ params: UnsafeBufferPointer<UInt8>) -> Bool { params.count <= maximumParameterBytes }

    func result(for params: UnsafeBufferPointer<UInt8>) -> Known? {
        loop.checkIsolated()
        guard Self.remembers(params) else { return nil }
        let hash = Self.hash(params)
        let start = Self.start(ofSetFor: hash)
        for index in start..<(start + Self.setSize) {
            guard let known = sets[index] else { return nil }
            if known.isFor(params, hash: hash) { return known }
        }
        return nil
    }

    /// - Parameter params: as they were written; nothing happens with those that it does not remember.
    func remember(_ result: RenderedKey, of answer: PublicKeyAnswer, _ query: PublicKeyQuery, _ params: [UInt8]) {
        loop.checkIsolated()
        guard result.bytes.count <= Self.maximumResultBytes else { return }
        params.withUnsafeBufferPointer { bytes in
            guard Self.remembers(bytes) else { return }
            let hash = Self.hash(bytes)
            let known = Known(result, answer.fetched, query, params: params, hash: hash)
            let start = Self.start(ofSetFor: hash)
            let set = start..<(start + Self.setSize)
            // What was known of the same parameters goes, else the oldest.
            var gap = set.first { sets[$0]?.isFor(bytes, hash: hash) ?? true } ?? set.upperBound - 1
            while gap > start {
                sets[gap] = sets[gap - 1]
                gap -= 1
            }
            sets[start] = known
        }
    }

    private static func start(ofSetFor hash: UInt64) -> Int {
        (Int(truncatingIfNeeded: hash >> 32) & (setCount - 1)) * setSize
    }

    /// Eight bytes at a time. Who sends parameters that collide makes only their own calls slower.
    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let raw = UnsafeRawBufferPointer(bytes)
        var hash = UInt64(truncatingIfNeeded: raw.count)
        var index = 0
        while index < raw.count {
            var word: UInt64 = 0
            if index &+ 8 <= raw.count {
                word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            } else {
                for byte in raw[index...] { word = word << 8 | UInt64(byte) }
            }
            // Fowler, Noll and Vo's step on words, with a multiplier that spreads every bit upwards (splitmix64's).
            hash = (hash ^ word) &* 0xBF58_476D_1CE4_E5B9
            hash ^= hash >> 29
            index &+= 8
        }
        return hash
    }
}
