import KMSJSON
import NCloudKMS
import KMSPlatform

/// Results that were rendered from cached keys, by the bytes of the parameters: a call like an earlier one is neither
/// parsed nor rendered again.
///
/// A result records which fetch it was rendered from. Each time, the cache decides whether it would still answer with
/// that fetch.
final class RenderedResults: @unchecked Sendable {
    // Sendable: only the loop's thread uses `sets`, in two methods that assert that they run on it.

    /// Enough for parameters with every option; longer ones are not remembered.
    static let maximumParameterBytes = 512
    /// Enough for a 4,096-bit key in all formats; the limit bounds the memory.
    static let maximumResultBytes = 8 << 10
    /// Twice the capacity of the cache, in sets of four, so that calls for cached keys rarely evict each other.
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

    /// Set after set; within a set, the most recently remembered result comes first.
    private var sets = [Known?](repeating: nil, count: setCount * setSize)
    private let loop: EventLoop

    /// - Parameter loop: the loop that the calls run on.
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

    /// - Parameter params: the parameters as written; nothing happens if they are too long to be remembered.
    func remember(_ result: RenderedKey, of answer: PublicKeyAnswer, _ query: PublicKeyQuery, _ params: [UInt8]) {
        loop.checkIsolated()
        guard result.bytes.count <= Self.maximumResultBytes else { return }
        params.withUnsafeBufferPointer { bytes in
            guard Self.remembers(bytes) else { return }
            let hash = Self.hash(bytes)
            let known = Known(result, answer.fetched, query, params: params, hash: hash)
            let start = Self.start(ofSetFor: hash)
            let set = start..<(start + Self.setSize)
            // Replaces the result for the same parameters, otherwise the oldest.
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

    /// Eight bytes at a time. A client that sends colliding parameters only slows down its own calls.
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
            // The step of Fowler, Noll and Vo's hash on words, with the multiplier of SplitMix64, which spreads every
            // bit upwards.
            hash = (hash ^ word) &* 0xBF58_476D_1CE4_E5B9
            hash ^= hash >> 29
            index &+= 8
        }
        return hash
    }
}
