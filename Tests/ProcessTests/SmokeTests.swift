import KMSTestSupport
import Testing

@Suite struct SmokeTests {
    @Test func `the version is printed`() async throws {
        let outcome = try await ServiceProcess.answers(to: "", arguments: ["--version"])
        #expect(outcome.result == ["ncloud-kms-rpc 0.1.0"])
        #expect(outcome.status == 0)
    }
}
