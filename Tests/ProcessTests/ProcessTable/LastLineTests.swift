import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// The log's last line names what ended the process.
@Suite(.timeLimit(.minutes(5))) struct LastLineTests {
    /// What the last line says, if it is the one that it should be.
    private static func reason<Result>(_ outcome: ServiceProcess.Outcome<Result>) throws -> String? {
        let line = try JSONValue(parsing: String(outcome.logLines.last ?? "null"))
        #expect(line["message"]?.string == "ended", "\(outcome.log)")
        #expect(line["received"]?.integer != nil && line["answered"]?.integer != nil)
        return line["reason"]?.string
    }

    @Test(arguments: [
        ("", "end of stdin"), (Lines.probe(1), "end of stdin"),
        (#"{"jsonrpc":"2.0","method":"exit"}"#, "exit"),
        (Lines.request(1, "shutdown") + "\n" + #"{"jsonrpc":"2.0","method":"exit"}"#, "exit"),
        (Lines.request(1, "shutdown"), "end of stdin"),
        ("Content-Length: x\r\n\r\n", "an invalid frame on stdin"),
    ])
    func `the input's end, or what the client says`(_ input: String, _ reason: String) async throws {
        let outcome = try await ServiceProcess.answers(to: input)
        #expect(try Self.reason(outcome) == reason)
        #expect(outcome.status == 0)
    }

    @Test func `shutdown, and nothing after it`() async throws {
        let outcome = try await ServiceProcess.run { process in
            _ = try await process.ask(Lines.request(1, "shutdown"))
            try await process.waitForEnd()
        }
        #expect(try Self.reason(outcome) == "shutdown, not followed by exit")
        #expect(outcome.status == 0)
    }

    @Test(arguments: [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")])
    func `a signal by its name`(_ signal: CInt, _ name: String) async throws {
        let outcome = try await ServiceProcess.run { process in
            _ = try await process.answer(to: Lines.probe(1))
            process.signal(signal)
            return await process.rest()
        }
        #expect(try Self.reason(outcome) == name)
    }

    @Test func `a reader that has gone`() async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            process.closeOutput()
            try await process.waitForEnd()
        }
        #expect(try Self.reason(outcome) == "stdout was closed")
        #expect(outcome.status == 0)
    }

    @Test func `an output that was closed at the start`() async throws {
        let outcome = try await ServiceProcess.run(
            "/bin/sh", arguments: ["-c", "exec \"$0\" >&-", BuiltProducts.path(of: "ncloud-kms-rpc")]
        ) { process in
            try await process.waitForEnd()
        }
        #expect(try Self.reason(outcome) == "stdout was closed")
        #expect(outcome.status == 0)
    }

    @Test func `an output that can't take an answer, as on a full disk`() async throws {
        let outcome = try await ServiceProcess.run(
            output: try .file("/dev/full", O_WRONLY), readsLines: false, readsLog: true
        ) { process in
            try process.send(Lines.probe(1))
            try await process.waitForEnd()
        }
        #expect(try Self.reason(outcome)?.hasPrefix("writing to stdout failed") == true)
        #expect(outcome.status == 74)
    }

    /// The symptom: it ended without a word.
    @Test func `a parent process that was gone at the start`() async throws {
        let gone = Lock<CInt>(0)
        _ = try await ServiceProcess.run("/bin/cat") { process in gone.withLock { $0 = process.processID } }
        let id = gone.withLock { $0 }
        let outcome = try await ServiceProcess.run(arguments: ["--parent-pid", "\(id)"]) { process in
            try await process.waitForEnd()
        }
        #expect(try Self.reason(outcome) == "end of process \(id), the parent")
        #expect(outcome.status == 0)
    }

    // MARK: Where a sandbox forbids pidfds

    /// Forbids `pidfd_open` to itself and what it starts, as older sandboxes do, with the error number that it is given; then
    /// becomes the rest of its arguments, with its own number for PARENT.
    private static let sandbox = """
        import ctypes, os, struct, sys
        libc = ctypes.CDLL(None, use_errno=True)
        number = 434
        def statement(code, k, jt=0, jf=0): return struct.pack("HBBI", code, jt, jf, k)
        program = (statement(0x20, 0) + statement(0x15, number, 0, 1)
                   + statement(0x06, 0x00050000 | int(sys.argv[1])) + statement(0x06, 0x7fff0000))
        buffer = ctypes.create_string_buffer(program)
        filter = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(filter), 0, 0):
            sys.exit("no seccomp: %d" % ctypes.get_errno())
        command = [word.replace("PARENT", str(os.getpid())) for word in sys.argv[3:]]
        if sys.argv[2] == "exec": os.execv(command[0], command)
        if os.fork() == 0: os.execv(command[0], command)
        # The parent: its own end of the pipe is where the test tells it to end.
        os.close(0)
        os.close(1)
        os.read(int(sys.argv[2]), 1)
        """

    private static let hasPython = (try? ChildProcess("/usr/bin/python3", ["-c", "0"]).waitForExit()) != nil

    @Test(.enabled(if: hasPython, "it takes a Python to forbid a system call"), arguments: [EPERM, ENOSYS])
    func `without pidfds the end of the process that has started it is seen all the same`(_ refusal: CInt) async throws
    {
        // The parent gets the read end as its stderr, so that it is inherited, and the program its log elsewhere.
        let control = try Descriptors.pipe()
        let folder = try TemporaryDirectory()
        let log = "\(folder.path)/log"
        let outcome = try await ServiceProcess.run(
            "/usr/bin/python3",
            arguments: [
                "-c", Self.sandbox, "\(refusal)", "2", "/bin/sh", "-c", "exec \"$0\" \"$@\" 2>\(log)",
                BuiltProducts.path(of: "ncloud-kms-rpc"), "--parent-pid", "PARENT",
            ], errors: Channel(program: control.read), readsLog: false
        ) { process in
            _ = try await process.ask(Lines.probe(1))
            close(control.write)
            return (process.processID, await process.rest())
        }
        #expect(outcome.result.1 == [])
        let last = try JSONValue(parsing: String(try contents(of: log).split(separator: "\n").last ?? "null"))
        #expect(last["reason"]?.string == "end of process \(outcome.result.0), the parent")
    }

    @Test(.enabled(if: hasPython, "it takes a Python to forbid a system call"), arguments: [EPERM, ENOSYS])
    func `without pidfds the end of another process can't be seen: status 78, and the flag is named`(_ refusal: CInt)
        async throws
    {
        let outcome = try await ServiceProcess.run(
            "/usr/bin/python3",
            arguments: [
                "-c", Self.sandbox, "\(refusal)", "exec", BuiltProducts.path(of: "ncloud-kms-rpc"), "--parent-pid", "1",
            ]
        ) { process in
            try await process.waitForEnd()
        }
        #expect(outcome.status == 78)
        #expect(outcome.logLines.count == 1 && outcome.log.contains("--parent-pid"), "\(outcome.log)")
    }

    @Test(.enabled(if: hasPython, "it takes a Python to forbid a system call"))
    func `without pidfds a process that is gone is gone`() async throws {
        let gone = Lock<CInt>(0)
        _ = try await ServiceProcess.run("/bin/cat") { process in gone.withLock { $0 = process.processID } }
        let id = gone.withLock { $0 }
        let outcome = try await ServiceProcess.run(
            "/usr/bin/python3",
            arguments: [
                "-c", Self.sandbox, "\(EPERM)", "exec", BuiltProducts.path(of: "ncloud-kms-rpc"), "--parent-pid",
                "\(id)",
            ]
        ) { process in
            try await process.waitForEnd()
        }
        #expect(try Self.reason(outcome) == "end of process \(id), the parent")
        #expect(outcome.status == 0)
    }
}
