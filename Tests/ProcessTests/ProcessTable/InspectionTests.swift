import Platform
import TestSupport
import Testing

/// Spec page 02, Process: "core dumps".
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
}
