import Testing

@testable import NCloudKMS

@Suite struct LatencyHistogramTests {
    @Test func `nothing recorded has no percentile`() {
        #expect(LatencyHistogram().percentile(0.5) == nil)
    }

    static let durations: [Duration] = [
        .zero, .microseconds(1), .microseconds(15), .microseconds(16), .microseconds(31), .microseconds(32),
        .microseconds(33), .microseconds(999), .milliseconds(1), .milliseconds(37), .seconds(1), .seconds(10),
        .seconds(300), .seconds(1_000),
    ]

    @Test(arguments: durations)
    func `a duration comes back within a thirty-second of it and a microsecond`(duration: Duration) throws {
        var histogram = LatencyHistogram()
        histogram.record(duration)
        for share in [0, 0.5, 0.99, 1] {
            let found = try #require(histogram.percentile(share))
            let error = found < duration ? duration - found : found - duration
            #expect(error <= duration / 32 + .microseconds(1))
        }
    }

    @Test func `percentiles count from the shortest`() throws {
        var histogram = LatencyHistogram()
        for milliseconds in (1...1_000).shuffled() { histogram.record(.milliseconds(milliseconds)) }
        #expect(histogram.count == 1_000)
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = try #require(histogram.percentile(share))
            #expect(abs(found / .milliseconds(1) - expected) <= expected / 32 + 0.001)
        }
    }

    @Test func `one slow attempt in a hundred is the slowest and not the 99th`() throws {
        var histogram = LatencyHistogram()
        for _ in 0..<99 { histogram.record(.milliseconds(1)) }
        histogram.record(.seconds(1))
        #expect(try #require(histogram.percentile(0.99)) < .milliseconds(2))
        #expect(try #require(histogram.percentile(0.991)) > .milliseconds(900))
    }

    @Test func `what is longer than the longest counts as that`() throws {
        var histogram = LatencyHistogram()
        histogram.record(.seconds(Int64.max))
        histogram.record(.seconds(-5))
        #expect(try #require(histogram.percentile(1)) > .seconds(1_000))
        #expect(try #require(histogram.percentile(0.5)) < .microseconds(1))
    }
}
