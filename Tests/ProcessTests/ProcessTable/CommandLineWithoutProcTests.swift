import KMSPlatform
import KMSTestSupport
import Testing

/// Covers `/proc` with an empty folder, then becomes the program.
private func withoutProc(_ program: String, _ arguments: [String]) -> [String] {
    ["--mount", "/bin/sh", "-c", #"mount -t tmpfs none /proc && exec "$@""#, "sh", program] + arguments
}

private let isPossible: Bool = {
    let words = ["unshare"] + withoutProc("/bin/true", [])
    let pointers = words.map { strdup($0) }
    defer { pointers.forEach { free($0) } }
    var child = pid_t()
    var status: CInt = -1
    guard posix_spawn(&child, "/usr/bin/unshare", nil, nil, pointers + [nil], environ) == 0,
        waitpid(child, &status, 0) == child
    else { return false }
    return status == 0
}()

/// The programs in a root without `/proc`, as in a sandbox: they still see what they were asked to do.
@Suite(
    .timeLimit(.minutes(5)), .enabled(if: isPossible, "mount namespaces are refused here"), .notUnderAddressSanitizer)
struct CommandLineWithoutProcTests {
    private func run(
        _ arguments: [String], of program: String = "ncloud-kms-rpc", input: [UInt8] = []
    ) async throws -> ServiceProcess.Outcome<[UInt8]> {
        try await ServiceProcess.output(
            "/usr/bin/unshare", of: withoutProc(BuiltProducts.path(of: program), arguments), input: input)
    }

    @Test func `verify of files that are not there does not exit 0`() async throws {
        let outcome = try await run([
            "verify", "k", "--algorithm", "PS256", "--signature", "/nonexistent", "/nonexistent",
        ])
        #expect(outcome.status == 78, "\(outcome.log)")
        #expect(outcome.log.contains("/nonexistent"))
    }

    @Test func `a flag counts`() async throws {
        let version = try await run(["--version"])
        #expect(String(decoding: version.result, as: UTF8.self).hasPrefix("ncloud-kms-rpc "))
        let zone = try await run(
            ["--zone", "gov"], input: Array(#"{"jsonrpc":"2.0","id":1,"method":"getStatus"}"#.utf8))
        #expect(String(decoding: zone.result, as: UTF8.self).contains(#""zone":"gov""#))
        #expect(zone.status == 0)
        #expect(try await run(["--no-such-flag"]).status == 64)
    }

    @Test func `the emulator runs its command`() async throws {
        let outcome = try await run(
            ["--http", "--", "/bin/sh", "-c", "echo ran; exit 3"], of: "ncloud-kms-emulator")
        #expect(outcome.result == Array("ran\n".utf8))
        #expect(outcome.status == 3, "\(outcome.log)")
    }
}
