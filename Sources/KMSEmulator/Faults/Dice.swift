/// Random numbers that a seed repeats: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
/// 2014).
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

/// What decides about faults with a rate and about jitter: numbers in [0, 1).
struct Dice: Sendable {
    private var source: Source

    private enum Source: Sendable {
        case seeded(SplitMix64)
        case function(@Sendable () -> Double)
    }

    /// The same numbers for the same seed.
    init(seed: UInt64) { source = .seeded(SplitMix64(seed: seed)) }

    init(_ function: @escaping @Sendable () -> Double) { source = .function(function) }

    mutating func roll() -> Double {
        switch source {
        case .function(let function): return function()
        case .seeded(var generator):
            defer { source = .seeded(generator) }
            // The 53 bits that a number below 1 has; the standard library does not promise to do the same forever.
            return Double(generator.next() >> 11) * 0x1p-53
        }
    }
}
