import Foundation
import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// What somebody with the engine puts there is never used; what a holder of the secret puts there is, so that the tests
/// can tell the difference. A program of its own makes the entries as the protocol describes them.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct SharedForgeryTests {
    /// How an entry is made.
    struct Entry: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var secret = Seed.AccessKey.demo.secret
        /// Nil: the emulator's.
        var baseURL: String?
        var keyTag = "demo-ec"
        var version = ""
        /// From now.
        var startSeconds = -1
        var pem: String?
        /// What is done to the text of the entry.
        var change: @Sendable (String) -> String = { $0 }
        var isUsed = false

        init(_ description: String, _ change: (inout Entry) -> Void) {
            testDescription = description
            change(&self)
        }

        /// The name and the text, as the program writes them.
        func make(_ kms: EmulatedKMS) throws -> (name: String, text: String) {
            let start = SystemClock().wallClockMilliseconds + Int64(startSeconds) * 1_000
            let script = OutsidePackage.checkout.appending(path: "Tests/ProcessTests/Fixtures/shared-entry.py").path
            let pem = try pem ?? #require(Seed.demo.keys.first { $0.keyTag == "demo-ec" }?.versions[0].publicKey)
            let output = try ChildProcess.run(
                "/usr/bin/env",
                ["python3", script, secret, baseURL ?? kms.emulator.endpoint, keyTag, version]
                    + ["\(start)", "1", "a-request", pem])
            let end = try #require(output.firstRange(of: "\n\n"))
            return (String(output[..<end.lowerBound]), change(String(output[end.upperBound...])))
        }
    }

    static let entries: [Entry] = [
        Entry("right") { $0.isUsed = true },
        Entry("right, of an hour ago") {
            $0.startSeconds = -3_600
            $0.isUsed = true
        },
        Entry("aged") { $0.startSeconds = -36_000 },
        Entry("from the future") { $0.startSeconds = 3_600 },
        Entry("with the tag of another secret") { $0.secret = "another" },
        Entry("of another key") { $0.keyTag = "demo-rsa" },
        Entry("of a version") { $0.version = "1" },
        Entry("of another service") { $0.baseURL = "https://127.0.0.1:1" },
        Entry("a private key") { $0.pem = privateKey },
        Entry("no key") { $0.pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" },
        Entry("cut") { $0.change = { String($0.dropLast(20)) } },
        Entry("with another request id") { $0.change = { $0.replacing("a-request", with: "b-request") } },
        Entry("with another start") { $0.change = { $0.replacing("1 1", with: "1 2", maxReplacements: 1) } },
        Entry("too long") { $0.change = { $0 + String(repeating: "\n", count: 4_096) } },
        Entry("rubbish") { $0.change = { _ in "rubbish" } },
        Entry("of another format") { $0.change = { "2" + $0.dropFirst() } },
    ]

    private static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAQEBAQEBAQEBAQEB
        -----END PRIVATE KEY-----

        """

    @Test(arguments: entries) func `an entry is used only if it is right`(_ entry: Entry) async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        // Hours, so that a machine that is slow for minutes changes nothing.
        let arguments = ["--shared", engine.url, "--shared-keys", "on", "--cache-ttl", "14400"] + Fleet.patient
        let name = try Entry("right") { _ in }.make(kms).name
        let text = try entry.make(kms).text
        #expect(try engine.command("SET", name, text) == "OK")
        let run = try await ServiceProcess.run(arguments: arguments, environment: kms.environment) {
            process async throws in
            let key = try await process.key("demo-ec")
            #expect(key.source == (entry.isUsed ? "shared" : "kms"))
            #expect(
                try key["publicKey"]?.string == Seed.demo.keys.first { $0.keyTag == "demo-ec" }?.versions[0].publicKey)
            if entry.isUsed {
                let age = try #require(key.ageMilliseconds)
                #expect(age >= -entry.startSeconds * 1_000)
            }
            let status = try await entry.isUsed ? process.sharedStatus() : process.sharedStatus(stored: 1)
            let keys = try #require(status["keys"])
            #expect(keys["stored"]?.integer == (entry.isUsed ? 0 : 1))
            #expect(keys["rejected"]?.integer == (entry.isUsed ? 0 : 1))
        }
        #expect(kms.emulator.state.total == (entry.isUsed ? 0 : 1))
        // The process that had to ask the service has replaced it.
        let isReplaced = try engine.command("GET", name) != text.trimmingASCIIWhitespace()
        #expect(isReplaced == !entry.isUsed)
        #expect(run.logLines.contains { $0.contains("entry") } == !entry.isUsed, "\(run.log)")
    }

    @Test func `a name of another type is as if it were not there`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        let name = try Entry("right") { _ in }.make(kms).name
        try engine.command("RPUSH", name, "a")
        let arguments = ["--shared", engine.url, "--shared-keys", "on"] + Fleet.patient
        try await Fleet.run(1, arguments, environment: kms.environment) { members async throws in
            #expect(try await members[0].key("demo-ec").source == "kms")
            #expect(try await members[0].sharedStatus()["keys"]?["rejected"]?.integer == 0)
        }
        #expect(try engine.command("TYPE", name) == "string")
    }
}
