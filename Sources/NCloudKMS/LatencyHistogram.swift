import KMSPlatform

/// Durations in memory that does not grow: counts in buckets whose widths are a sixteenth of their values, from a
/// microsecond to 17 minutes. Longer durations count as 17 minutes.
struct LatencyHistogram: Sendable {
    /// Each doubling of the duration is divided into this many buckets.
    private static let stepsPerDoubling = 16
    private static let firstExponent = 4
    private static let lastExponent = 29
    private static let maximumMicroseconds = Int64(1) << (lastExponent + 1) - 1

    private var counts = [Int](repeating: 0, count: index(of: maximumMicroseconds) + 1)

    private(set) var count = 0

    init() {}

    mutating func record(_ duration: Duration) {
        let microseconds = min(max(duration.nanoseconds / 1_000, 0), Self.maximumMicroseconds)
        counts[Self.index(of: microseconds)] += 1
        count += 1
    }

    /// The duration that this share of all durations did not exceed, accurate to a thirty-second; nil if there are
    /// none.
    ///
    /// - Parameter share: 0.5 for the median, 0.99 for the 99th percentile.
    func percentile(_ share: Double) -> Duration? {
        guard count > 0 else { return nil }
        let rank = min(max(Int((Double(count) * share).rounded(.up)), 1), count)
        var seen = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if seen >= rank { return .nanoseconds(Self.middleNanoseconds(ofIndex: index)) }
        }
        return nil
    }

    /// The same in milliseconds, as the status shows it.
    func percentileMilliseconds(_ share: Double) -> Double? {
        percentile(share).map { Double($0.nanoseconds) / 1_000_000 }
    }

    private static func index(of microseconds: Int64) -> Int {
        guard microseconds >= stepsPerDoubling else { return Int(microseconds) }
        let exponent = 63 - microseconds.leadingZeroBitCount
        let step = Int(microseconds >> (exponent - firstExponent)) - stepsPerDoubling
        return (exponent - firstExponent + 1) * stepsPerDoubling + step
    }

    private static func middleNanoseconds(ofIndex index: Int) -> Int64 {
        let doubling = max(index / stepsPerDoubling - 1, 0)
        let start = doubling == 0 ? index : stepsPerDoubling + index % stepsPerDoubling
        return (Int64(start) << doubling) * 1_000 + (Int64(1) << doubling) * 500
    }
}
