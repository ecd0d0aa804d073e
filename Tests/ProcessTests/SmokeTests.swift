import KMSPlatform
import KMSTestSupport
import Testing

@Suite struct SmokeTests {
    @Test func `the version is printed, and what else the report of a fault should say`() async throws {
        let outcome = try await ServiceProcess.answers(to: "", arguments: ["--version"])
        try #require(outcome.result.count == 5)
        #expect(outcome.result[0] == "ncloud-kms-rpc \(ProgramVersion.text)")
        // Only `make build` says more.
        #expect(outcome.result[1...2] == ["commit unknown", "Swift 6.3 or newer"])
        let openssl = try await ServiceProcess.output("/usr/bin/openssl", of: ["version"])
        #expect(String(decoding: openssl.result, as: UTF8.self).hasPrefix("\(outcome.result[4]) "))
        #expect(outcome.result[3].contains(/^libcurl \d+\.\d+\.\d+/))
        #expect(outcome.status == 0)
    }

    @Test func `the version is a semantic version`() {
        #expect(ProgramVersion.text.contains(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$/))
    }
}
