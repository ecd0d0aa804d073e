import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The built program's temporary folder: where it is, and when it is removed.
@Suite(.timeLimit(.minutes(5))) struct ProgramFolderTests {
    /// Makes every folder for temporary files read-only, as in a hardened container, then becomes the program.
    private static let readOnly = [
        "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
        #"""
        for folder in /tmp /dev/shm; do
            mount --bind $folder $folder && mount -o remount,ro,bind $folder || exit 99
        done
        exec "$@"
        """#, "sh",
    ]

    private static let canMount: Bool =
        (try? ChildProcess.run(readOnly[0], Array(readOnly.dropFirst()) + ["/bin/true"])) != nil

    private func names(in directory: TemporaryDirectory) throws -> [String] {
        try ChildProcess.run("/bin/ls", ["-A", directory.path]).split(separator: "\n").map(String.init)
    }

    @Test func `the next start removes the folder of a killed program, but not that of a running one`() async throws {
        let directory = try TemporaryDirectory()
        let environment = ["TMPDIR": directory.path]
        let killed = try await Program.converse([], environment: environment) { process in
            _ = try #require(await process.nextLine())
            process.signal(SIGKILL)
        }
        #expect(killed == -Int(SIGKILL))
        let leftover = try names(in: directory)
        #expect(leftover.count == 1)

        let status = try await Program.converse([], environment: environment) { process in
            let announced = try JSONValue(parsing: try #require(await process.nextLine()))
            let file = try #require(announced["caFile"]?.string)
            #expect(try names(in: directory).map { "\(directory.path)/\($0)/ca.pem" } == [file])
            #expect(try names(in: directory) != leftover)
            // Another one beside it.
            let other = try await Program.run(Program.emulator, ["--", "true"], environment: environment)
            #expect(other.status == 0)
            #expect(access(file, R_OK) == 0)
            process.signal(SIGTERM)
        }
        #expect(status == 0)
        #expect(try names(in: directory) == [])
    }

    @Test(arguments: ["/nonexistent", "", "relative", "/proc"])
    func `a folder for temporary files that can't be used is skipped`(folder: String) async throws {
        let result = try await Program.run(
            Program.emulator, ["--", "/bin/sh", "-c", "echo $NCLOUD_KMS_CA_FILE"], environment: ["TMPDIR": folder])
        #expect(result.output.hasPrefix("/tmp/ncloud-kms-emulator-ca."), "\(result)")
    }

    @Test(.enabled(if: canMount, "mount namespaces are refused here"))
    func `without any folder for temporary files it says what to do`() async throws {
        let result = try await Program.run(
            Self.readOnly[0], Array(Self.readOnly.dropFirst()) + [Program.emulator, "--", "echo", "ran"],
            environment: ["TMPDIR": "/nonexistent", "XDG_RUNTIME_DIR": nil])
        #expect(result.status == 125)
        let expected =
            "ncloud-kms-emulator: no temporary folder is writable; tried /nonexistent (No such file or directory), "
            + "/tmp (Read-only file system), /dev/shm (Read-only file system); "
            + "set TMPDIR, or use --ca-out FILE or --http\n"
        #expect(result.errors == expected)
        #expect(result.output.isEmpty)
    }

    @Test(.enabled(if: canMount, "mount namespaces are refused here"), arguments: [true, false])
    func `without any folder for temporary files it serves all the same`(isPlain: Bool) async throws {
        // On another file system: the others are read-only. The other case runs at the same time.
        let file = "/var/tmp/ncloud-kms-test-\(getpid())-\(isPlain).pem"
        defer { unlink(file) }
        let script = #"curl -sS -o /dev/null -w '%{http_code}' "$NCLOUD_KMS_ENDPOINT/_emulator/health""#
        let result = try await Program.run(
            Self.readOnly[0],
            Array(Self.readOnly.dropFirst()) + [Program.emulator]
                + (isPlain ? ["--http"] : ["--ca-out", file]) + ["--", "/bin/sh", "-c", script],
            environment: ["TMPDIR": nil])
        #expect(result.output == "200", "\(result)")
    }
}
