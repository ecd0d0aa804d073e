import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct SharedLookUpTests {
    private static let start = Instant(nanoseconds: 5_000_000_000)

    private static func call(maxAge: Duration? = nil, timeout: Duration = .seconds(30)) throws -> WaitingCall {
        WaitingCall(
            PublicKeyQuery(keyTag: try KeyTag("k"), version: nil, maxAge: maxAge, timeout: timeout), arrival: start,
            label: nil
        ) { _ in }
    }

    private static func refresh() throws -> WaitingCall {
        WaitingCall(refreshing: PublicKeyRequest(keyTag: try KeyTag("k"), version: nil), now: start)
    }

    private func lookUp(_ calls: [WaitingCall]) -> SharedLookUp {
        SharedLookUp(for: calls, timeToLive: .seconds(300))
    }

    @Test func `one call looks for what it wants`() throws {
        let lookUp = lookUp([try Self.call(maxAge: .seconds(10), timeout: .seconds(4))])
        #expect(lookUp.limit == .seconds(10))
        #expect(lookUp.deadline == Self.start + .seconds(4))
        #expect(!lookUp.isRefresh)
        #expect(self.lookUp([try Self.call(maxAge: .seconds(1_000))]).limit == .seconds(300))
        #expect(self.lookUp([try Self.call()]).limit == .seconds(300))
    }

    @Test func `of several calls the youngest key and the earliest end count`() throws {
        let lookUp = lookUp([
            try Self.call(maxAge: .seconds(200)), try Self.call(maxAge: .seconds(100), timeout: .seconds(20)),
            try Self.call(timeout: .seconds(2)),
        ])
        #expect(lookUp.limit == .seconds(100))
        #expect(lookUp.deadline == Self.start + .seconds(2))
    }

    @Test func `a refresh wants a younger key than the one that is about to expire, unless a call waits as well`()
        throws
    {
        let refresh = lookUp([try Self.refresh()])
        #expect(refresh.isRefresh)
        #expect(refresh.limit == AgeLimit.refresh(timeToLive: .seconds(300)))
        #expect(refresh.limit < .seconds(300))
        let joined = lookUp([try Self.refresh(), try Self.call()])
        #expect(!joined.isRefresh)
        #expect(joined.limit == .seconds(300))
    }
}
