import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// A server role's keys over hours, on an injected clock.
@Suite(.timeLimit(.minutes(5))) struct ClientServerRoleTests {
    /// A metadata service whose keys a test replaces.
    private final class Metadata: Sendable {
        let responder: RawResponder
        private let answer: Lock<String>

        init(_ first: String) throws {
            let answer = Lock(first)
            self.answer = answer
            responder = try RawResponder { connection in
                while true {
                    let isList = try connection.readRequest().head.hasPrefix("GET \(Self.path) ")
                    let text = isList ? RawResponder.answer("200 OK", body: "role-1") : answer.withLock { $0 }
                    try connection.send(text)
                }
            }
        }

        deinit { responder.stop() }

        private static let path = "/latest/meta-data/iam/security-credentials/"

        func setAnswer(_ text: String) { answer.withLock { $0 = text } }

        /// How often it was asked for keys.
        var asked: Int { responder.requests.count { $0.head.contains("role-1 ") } }

        var authentication: KMSClientConfiguration.Authentication {
            .lookup(
                CredentialLookup(
                    environment: EnvironmentVariables([
                        "NCLOUD_METADATA_API_ENDPOINT": responder.baseURL, "HOME": "/nonexistent",
                    ])))
        }
    }

    private static func keys(_ key: Seed.AccessKey, until expiration: String) -> String {
        RawResponder.answer(
            "200 OK",
            body: """
                {"Code":"Success","AccessKeyId":"\(key.id)","SecretAccessKey":"\(key.secret)",\
                "Expiration":"\(expiration)"}
                """)
    }

    private static let old = Seed.AccessKey(id: "OLDROLEKEY0000000001", secret: "an-old-secret-of-a-role")
    private static let new = Seed.AccessKey(id: "NEWROLEKEY0000000002", secret: "a-new-secret-of-a-role")
    /// The injected clock starts at 2023-11-14T22:13:20Z.
    private static let inAnHour = "2023-11-14T23:13:20Z"
    private static let inThreeHours = "2023-11-15T01:13:20Z"

    private static func seed(_ keys: Seed.AccessKey...) -> Seed { Seed(accessKeys: keys, keys: Seed.demo.keys) }

    @Test func `keys are replaced a quarter of an hour before they end, while the old ones serve`() async throws {
        let metadata = try Metadata(Self.keys(Self.old, until: Self.inAnHour))
        let fixture = try ClientFixture(
            seed: Self.seed(Self.old, Self.new), credentials: metadata.authentication, timeToLive: .zero)
        let query = try ClientFixture.query()
        #expect(try await fixture.answer(to: query).attempts == 1)
        metadata.setAnswer(Self.keys(Self.new, until: Self.inThreeHours))
        await fixture.advance(by: .seconds(44 * 60 + 59))
        _ = try await fixture.answer(to: query)
        #expect(metadata.asked == 1)
        #expect(await fixture.status().credentials?.accessKeyID == "OLDR…")

        await fixture.advance(by: .seconds(2))
        // Calls that arrive meanwhile don't wait, and together they ask once.
        let calls = (0..<20).map { _ in fixture.begin(query) }
        for call in calls { _ = try await call.answer() }
        while await fixture.status().credentials?.accessKeyID != "NEWR…" { _ = try await fixture.answer(to: query) }
        #expect(metadata.asked == 2)
        _ = try await fixture.answer(to: query)
        #expect(fixture.emulator.state.signaturesRefused == 0)
    }

    @Test func `keys that ended are not used, and nothing is sent without any`() async throws {
        let metadata = try Metadata(Self.keys(Self.old, until: Self.inAnHour))
        let fixture = try ClientFixture(
            seed: Self.seed(Self.old, Self.new), credentials: metadata.authentication, timeToLive: .zero)
        let query = try ClientFixture.query()
        _ = try await fixture.answer(to: query)
        metadata.setAnswer(RawResponder.answer("500 Oops"))
        await fixture.advance(by: .seconds(61 * 60))
        let error = try await fixture.error(of: query)
        #expect(error.code == .credentialsUnavailable)
        #expect(error.message.contains("500"), "\(error.message)")
        #expect(fixture.emulator.state.total == 1)
        metadata.setAnswer(Self.keys(Self.new, until: Self.inThreeHours))
        await fixture.advance(by: .seconds(61))
        #expect(try await fixture.answer(to: query).attempts == 1)
    }
}
