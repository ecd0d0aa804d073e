import KMSPlatform

// Everything random that `--random-seed` makes reproducible: the dice, and the request ids.

/// The random numbers in [0, 1) for faults with a rate and for jitter.
struct Dice: Sendable {
    private var source: Source

    private enum Source: Sendable {
        case seeded(SplitMix64)
        case function(@Sendable () -> Double)
    }

    /// The same seed gives the same numbers.
    init(seed: UInt64) { source = .seeded(SplitMix64(seed: seed)) }

    init(_ function: @escaping @Sendable () -> Double) { source = .function(function) }

    mutating func roll() -> Double {
        switch source {
        case .function(let function): return function()
        case .seeded(var generator):
            defer { source = .seeded(generator) }
            // The 53 bits of precision that a number below 1 has. `Double.random(in:using:)` does not promise the same
            // numbers in every version of the standard library.
            return Double(generator.next() >> 11) * 0x1p-53
        }
    }
}

/// The ids of requests: 16 digits that are the same for one server, then a number.
struct RequestIDs: Sendable {
    private let prefix: String
    private var count: UInt64 = 0

    /// - Parameter seed: determines the first 16 digits; nil takes random ones.
    init(seed: UInt64?) {
        var generator = seed.map(SplitMix64.init)
        prefix = Self.hexadecimal(generator?.next() ?? .random(in: 0...UInt64.max))
    }

    mutating func next() -> String {
        count += 1
        return prefix + Self.hexadecimal(count)
    }

    /// A number as 16 hexadecimal digits.
    private static func hexadecimal(_ number: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<8 {
                (buffer[2 * index], buffer[2 * index + 1]) =
                    UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * index)).hexDigits
            }
            return 16
        }
    }
}

/// A generator that gives the same numbers for the same seed (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
