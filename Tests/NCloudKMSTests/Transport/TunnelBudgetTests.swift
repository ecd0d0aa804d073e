import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct TunnelBudgetTests {
    /// Steps until the verdict changes, all in turns of one length.
    private static func steps(ofTurn count: Int, upTo limit: Int, elapsed: Duration) -> (Int, TunnelBudget.Verdict) {
        var budget = TunnelBudget()
        for step in 0..<limit {
            let verdict = budget.step(turn: UInt64(step / count), elapsed: { elapsed })
            if verdict != .goOn { return (step + 1, verdict) }
        }
        return (limit, .goOn)
    }

    @Test func `64 KiB in one turn are enough`() {
        let (steps, verdict) = Self.steps(ofTurn: .max, upTo: 100_000, elapsed: .milliseconds(10))
        #expect(verdict == .tooLarge)
        #expect((65_537...65_600).contains(steps))
    }

    @Test func `64 KiB in many turns are enough, too`() {
        let (steps, verdict) = Self.steps(ofTurn: 1_000, upTo: 100_000, elapsed: .zero)
        #expect(verdict == .tooLarge)
        #expect((65_537...67_000).contains(steps))
    }

    @Test func `turns in which others do something never add up`() {
        #expect(Self.steps(ofTurn: 8, upTo: 1_000_000, elapsed: .zero) == (1_000_000, .goOn))
    }

    @Test func `a long turn ends for a transfer that takes more than its fair share`() {
        let (steps, verdict) = Self.steps(ofTurn: .max, upTo: 100_000, elapsed: .milliseconds(251))
        #expect(verdict == .tooLate)
        #expect((4_097...4_352).contains(steps))
    }

    @Test func `an answer of a usual size does not pay for a turn that others made slow`() {
        #expect(Self.steps(ofTurn: 4_000, upTo: 60_000, elapsed: .seconds(5)) == (60_000, .goOn))
    }
}
