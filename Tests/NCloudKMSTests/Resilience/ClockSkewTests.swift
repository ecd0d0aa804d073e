import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct ClockSkewTests {
    static let local: Int64 = 1_700_000_000_000

    private func sample(
        _ server: Duration?, hasAge: Bool = false, roundTrip: Duration = .zero, signedWith: Duration = .zero,
        isRefusal: Bool = true
    ) -> ClockSkew.Sample {
        ClockSkew.Sample(
            serverDate: server.map { Self.local + $0.milliseconds }, hasAge: hasAge,
            receivedMilliseconds: Self.local, roundTrip: roundTrip, signedWith: signedWith, isRefusal: isRefusal)
    }

    static let refusals: [(Duration, Bool)] = [
        (.seconds(6 * 60), true), (.seconds(-6 * 60), true), (.seconds(3 * 60), false), (.seconds(-3 * 60), false),
        (.seconds(4 * 60), false), (.seconds(4 * 60) + .milliseconds(1), true), (.seconds(24 * 3_600), true),
        (.seconds(24 * 3_600 + 1), false), (.seconds(2 * 365 * 86_400), false), (.seconds(-2 * 365 * 86_400), false),
    ]

    @Test(arguments: refusals)
    func `a refusal corrects a skew between four minutes and a day`(server: Duration, isCorrected: Bool) {
        var skew = ClockSkew()
        let outcome = skew.observe(sample(server))
        #expect(outcome == (isCorrected ? .corrected(isNews: true) : .unchanged))
        #expect(skew.offset == (isCorrected ? server : .zero))
        #expect(skew.corrected(Self.local) == Self.local + (isCorrected ? server.milliseconds : 0))
    }

    @Test func `what is not a refusal corrects nothing`() {
        var skew = ClockSkew()
        #expect(skew.observe(sample(.seconds(360), isRefusal: false)) == .unchanged)
        #expect(skew.offset == .zero)
    }

    @Test func `answers that say nothing about the time are ignored`() {
        var skew = ClockSkew()
        #expect(skew.observe(sample(nil)) == .unchanged)
        #expect(skew.observe(sample(.seconds(360), hasAge: true)) == .unchanged)
        #expect(skew.observe(sample(.seconds(360), roundTrip: .seconds(15 * 60 + 1))) == .unchanged)
        #expect(skew.observe(sample(.seconds(360), roundTrip: .seconds(-1))) == .unchanged)
        #expect(skew.offset == .zero)
    }

    @Test func `the server's date belongs to the middle of the round trip`() {
        var skew = ClockSkew()
        #expect(skew.observe(sample(.seconds(355), roundTrip: .seconds(10))) == .corrected(isNews: true))
        #expect(skew.offset == .seconds(360))
    }

    @Test func `a request that was signed before the correction is repeated without news`() {
        var skew = ClockSkew()
        _ = skew.observe(sample(.seconds(360)))
        #expect(skew.observe(sample(.seconds(361))) == .corrected(isNews: false))
        #expect(skew.offset == .seconds(360))
    }

    @Test func `a refusal in spite of the right correction is a refusal`() {
        var skew = ClockSkew()
        _ = skew.observe(sample(.seconds(360)))
        #expect(skew.observe(sample(.seconds(361), signedWith: .seconds(360))) == .unchanged)
    }

    @Test func `a clock that was put right clears the correction`() {
        var skew = ClockSkew()
        _ = skew.observe(sample(.seconds(360)))
        #expect(skew.observe(sample(.seconds(240), signedWith: .seconds(360), isRefusal: false)) == .unchanged)
        #expect(skew.offset == .seconds(360))
        let rightAgain = sample(.seconds(239), signedWith: .seconds(360), isRefusal: false)
        #expect(skew.observe(rightAgain) == .cleared)
        #expect(skew.offset == .zero)
        #expect(skew.observe(rightAgain) == .unchanged)
    }

    @Test func `a correction that became wrong is taken back and the request repeated`() {
        var skew = ClockSkew()
        _ = skew.observe(sample(.seconds(360)))
        #expect(skew.observe(sample(.seconds(1), signedWith: .seconds(360))) == .corrected(isNews: true))
        #expect(skew.offset == .zero)
        _ = skew.observe(sample(.seconds(360)))
        #expect(skew.observe(sample(.seconds(-900), signedWith: .seconds(360))) == .corrected(isNews: true))
        #expect(skew.offset == .seconds(-900))
    }

    @Test func `nothing is corrected when it is turned off`() {
        var skew = ClockSkew(isEnabled: false)
        #expect(skew.observe(sample(.seconds(360))) == .unchanged)
        #expect(skew.offset == .zero)
    }
}
