import Testing

@testable import KMSEmulator

@Suite struct AuthenticatorTests {
    private static let now: Int64 = 1_700_000_000_000
    private static let token = Seed.Token(token: "T-1", keyTag: "a", expiresAtMilliseconds: now + 1)
    private let authenticator = Authenticator(
        accessKeys: [.demo], tokens: [token, Seed.Token(token: "T-UL", keyTag: "b")])

    private func head(timestamp: String = "\(now)") -> RequestHead {
        let target = "/kms/v1/keys/a/get-pub-key"
        let signature = RequestSignature.compute(
            method: "POST", target: target, timestamp: timestamp, accessKey: Seed.AccessKey.demo.id,
            secret: Seed.AccessKey.demo.secret)
        return RequestHead(
            method: "POST", target: target, timestamp: timestamp, accessKey: Seed.AccessKey.demo.id,
            signature: signature)
    }

    private func caller(_ head: RequestHead, at time: Int64 = now) throws(Authenticator.Failure) -> Authenticator.Caller
    {
        try authenticator.caller(of: head, wallClockMilliseconds: time)
    }

    @Test(arguments: [0, 1_000, -1_000, 299_000, -299_000, 299_999, -299_999] as [Int64])
    func `a clock less than five minutes away is accepted`(skew: Int64) throws {
        #expect(try caller(head(), at: Self.now + skew) == .account(.demo))
    }

    @Test(arguments: [300_000, -300_000, 301_000, -301_000, 63_072_000_000, -63_072_000_000] as [Int64])
    func `a clock five minutes or more away is refused, though the signature is right`(skew: Int64) {
        #expect(throws: Authenticator.Failure.clockTooFarAway) { try caller(head(), at: Self.now + skew) }
    }

    @Test func `each of the three headers is needed`() {
        var noTimestamp = head()
        noTimestamp.timestamp = nil
        #expect(throws: Authenticator.Failure.missingHeader("x-ncp-apigw-timestamp")) { try caller(noTimestamp) }
        var noAccessKey = head()
        noAccessKey.accessKey = nil
        #expect(throws: Authenticator.Failure.missingHeader("x-ncp-iam-access-key")) { try caller(noAccessKey) }
        var noSignature = head()
        noSignature.signature = nil
        #expect(throws: Authenticator.Failure.missingHeader("x-ncp-apigw-signature-v2")) { try caller(noSignature) }
    }

    @Test(arguments: ["", "now", "1.7e12", "+1700000000000", " 1700000000000", "99999999999999999999"])
    func `a timestamp that is not a number of milliseconds is refused`(timestamp: String) {
        #expect(throws: Authenticator.Failure.unreadableTimestamp) { try caller(head(timestamp: timestamp)) }
    }

    @Test func `an unknown access key and a wrong signature are refused`() {
        var stranger = head()
        stranger.accessKey = "NOBODY"
        #expect(throws: Authenticator.Failure.unknownAccessKey) { try caller(stranger) }
        var forged = head()
        forged.signature = SignatureVector.all[0].signature
        #expect(throws: Authenticator.Failure.wrongSignature) { try caller(forged) }
    }

    @Test func `a token stands instead of a signature until it expires`() throws {
        let head = RequestHead(method: "POST", target: "/", token: "T-1")
        #expect(try caller(head) == .token(Self.token))
        #expect(throws: Authenticator.Failure.expiredToken) { try caller(head, at: Self.now + 1) }
        let unlimited = RequestHead(method: "POST", target: "/", token: "T-UL")
        #expect(try caller(unlimited, at: .max) == .token(Seed.Token(token: "T-UL", keyTag: "b")))
        let unknown = RequestHead(method: "POST", target: "/", token: "T-2")
        #expect(throws: Authenticator.Failure.unknownToken) { try caller(unknown) }
    }

    @Test func `a token is good for its key alone`() {
        #expect(Authenticator.Caller.token(Self.token).mayGetPublicKey(of: "a"))
        #expect(!Authenticator.Caller.token(Self.token).mayGetPublicKey(of: "b"))
    }

    @Test func `permissions name operations and keys`() {
        func may(_ permissions: [Seed.Permission]?) -> Bool {
            Authenticator.Caller.account(.init(id: "i", secret: "s", permissions: permissions)).mayGetPublicKey(of: "a")
        }
        #expect(may(nil))
        #expect(may([.init()]))
        #expect(may([.init(keyTag: "b"), .init(keyTag: "a")]))
        #expect(!may([.init(keyTag: "b")]))
        #expect(!may([]))
    }
}
