import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "memory".
@Suite(.timeLimit(.minutes(5))) struct InspectionTests {
    /// Nobody's.
    private static let plainUser = "65534"

    /// A command run by a user who may not look into everything: by setpriv where the tests are root's.
    private static func asPlainUser(_ program: String, _ arguments: [String]) -> (String, [String]) {
        guard geteuid() == 0 else { return (program, arguments) }
        let identity = ["--reuid", plainUser, "--regid", plainUser, "--clear-groups"]
        return ("/usr/bin/setpriv", identity + [program] + arguments)
    }

    @Test(arguments: [true, false])
    func `only --allow-debug lets other processes of the user look inside`(_ isAllowed: Bool) async throws {
        let (program, arguments) = Self.asPlainUser(
            BuiltProducts.path(of: "ncloud-kms-rpc"), isAllowed ? ["--allow-debug"] : [])
        let outcome = try await ServiceProcess.run(program, arguments: arguments) { process in
            _ = try await process.answer(to: Lines.probe(1))
            // The kernel asks the same question for this as for an attaching debugger.
            let (look, file) = Self.asPlainUser("/bin/cat", ["/proc/\(process.processID)/environ"])
            let outcome = try await ServiceProcess.run(look, arguments: file) { await $0.rest() }
            return outcome.status
        }
        #expect((outcome.result == 0) == isAllowed)
        #expect(outcome.status == 0)
    }

    @Test(arguments: [true, false])
    func `only --allow-debug leaves the limit of core dumps alone`(_ isAllowed: Bool) async throws {
        let command = "ulimit -c >&2; exec \"$0\" \"$@\""
        let outcome = try await ServiceProcess.run(
            "/bin/sh",
            arguments: ["-c", command, BuiltProducts.path(of: "ncloud-kms-rpc")] + (isAllowed ? ["--allow-debug"] : [])
        ) { process in
            _ = try await process.answer(to: Lines.probe(1))
            return try contents(of: "/proc/\(process.processID)/limits")
        }
        let words = outcome.result.split(separator: "\n").first { $0.hasPrefix("Max core file size") }?
            .split(separator: " ").dropFirst(4).prefix(2).map(String.init)
        let own = try contents(of: "/proc/self/limits")
        let ownWords = own.split(separator: "\n").first { $0.hasPrefix("Max core file size") }?
            .split(separator: " ").dropFirst(4).prefix(2).map(String.init)
        #expect(words == (isAllowed ? ownWords : ["0", "0"]))
    }

    @Test(
        .enabled(if: Strace.mayTrace, "strace is not installed, or may not trace"),
        arguments: [["serve"], ["get-public-key", "k"], ["doctor"]], ["--token-file", "--config-file"])
    func `no file of credentials is opened before inspection is forbidden`(
        _ command: [String], _ flag: String
    ) async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("credentials", "ncloud_access_key_id=A\nncloud_secret_access_key=S\n".utf8)
        let calls = try await Strace.calls(
            "openat,prctl,prlimit64", of: [flag, file, "--endpoint", "http://127.0.0.1:9"] + command)
        let opening = try #require(calls.firstIndex { $0.contains(file) }, "\(calls)")
        for call in ["prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE", "RLIMIT_CORE, {rlim_cur=0"] {
            let forbidding = try #require(calls.firstIndex { $0.contains(call) }, "\(calls)")
            #expect(forbidding < opening)
        }
    }

    @Test(arguments: [["serve"], ["get-public-key", "demo-ec"], ["doctor"]], [true, false])
    func `only --allow-debug lets the environment ask for a file of TLS secrets`(
        _ command: [String], _ isAllowed: Bool
    ) async throws {
        let folder = try TemporaryDirectory()
        let secrets = folder.path("secrets")
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(
                (isAllowed ? ["--allow-debug"] : []) + command, more: ["SSLKEYLOGFILE": secrets]
            ) { (process) async throws in
                if command == ["serve"] { #expect(try await process.getPublicKey().code == nil) }
                process.closeInput()
                return await process.rest()
            }
            #expect(kms.emulator.state.total > 0)
        }
        #expect((access(secrets, F_OK) == 0) == isAllowed)
    }
}
