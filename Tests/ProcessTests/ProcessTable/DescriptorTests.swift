import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "stdin, stdout" and "descriptors".
@Suite(.timeLimit(.minutes(5))) struct DescriptorTests {
    @Test func `the wire is on private descriptors, and 0 and 1 lead elsewhere`() async throws {
        let input = try Channel.pipeToProgram()
        let output = try Channel.pipeFromProgram()
        let errors = try Channel.pipeFromProgram()
        let names = try [input, output, errors].map { try Self.name(of: $0.program) }
        let outcome = try await ServiceProcess.run(
            arguments: ["--allow-debug"], input: input, output: output, errors: errors, readsLog: true
        ) { process in
            _ = try await process.answer(to: Lines.probe(1))
            let files = ProcessFiles(processID: process.processID)
            let descriptors = try files.descriptors()
            #expect(descriptors[0] == "/dev/null")
            #expect(descriptors[1] == names[2])
            #expect(descriptors[2] == names[2])
            for name in names.prefix(2) {
                let copies = descriptors.filter { $0.value == name }.keys
                #expect(copies.count == 1)
                for copy in copies {
                    #expect(copy >= 3)
                    #expect(try files.flags(of: copy) & O_CLOEXEC != 0)
                }
            }
        }
        #expect(outcome.status == 0)
    }

    enum Kind: CaseIterable { case pipes, sockets, oneSocket, terminal, files, namedPipes }

    @Test(arguments: Kind.allCases)
    func `every kind of descriptor carries the wire`(_ kind: Kind) async throws {
        let folder = try TemporaryDirectory()
        let requests = (1...3).map { Lines.probe($0) }
        let text = requests.joined(separator: "\n")
        let (input, output): (Channel, Channel)
        switch kind {
        case .pipes: (input, output) = (try .pipeToProgram(), try .pipeFromProgram())
        case .sockets: (input, output) = (try .socket(), try .socket())
        case .oneSocket:
            input = try .socket()
            output = try input.copied()
        case .terminal:
            input = try .terminal()
            output = try input.copied()
        case .files:
            input = try .file(try folder.write("in", text.utf8), O_RDONLY)
            output = try .file("\(folder.path)/out", O_WRONLY | O_CREAT)
        case .namedPipes:
            (input, output) = (try Self.namedPipe(folder, "in", O_WRONLY), try Self.namedPipe(folder, "out", O_RDONLY))
        }
        let outcome = try await ServiceProcess.run(input: input, output: output, readsLog: true) { process in
            if kind == .files {
                try await process.waitForEnd()
                return try contents(of: "\(folder.path)/out").split(separator: "\n").map(String.init)
            }
            // A terminal's end of input is a character, and on a line of its own.
            try process.send(Array((kind == .terminal ? text + "\n\u{4}" : text).utf8))
            if kind != .terminal { process.closeInput() }
            return await process.rest()
        }
        #expect(try WireAnswer.all(outcome.result).map(\.id) == ["1", "2", "3"])
        #expect(outcome.status == 0)
    }

    @Test func `non-blocking descriptors are waited for, and stay as they are`() async throws {
        let input = try Channel.socket()
        let output = try Channel.pipeFromProgram()
        let errors = try Channel.pipeFromProgram()
        let descriptors = [input, output, errors].map(\.program)
        for descriptor in descriptors { #expect(fcntl(descriptor, F_SETFL, O_NONBLOCK | Self.flags(descriptor)) == 0) }
        let copies = descriptors.compactMap { Descriptors.privateCopy(of: $0) }
        let before = copies.map(Self.flags)
        // More than a pipe holds, so that both sides have to wait for each other.
        let count = 2_000
        let outcome = try await ServiceProcess.run(
            input: input, output: output, errors: errors, readsLines: false, readsLog: false
        ) { process in
            try await onOwnThread {
                try process.send(Array((1...count).map { Lines.probe($0) + "\n" }.joined().utf8))
                #expect(copies.map(Self.flags) == before)
                // While it is open here, the output has no end.
                close(copies[1])
                process.closeInput()
            }
            return try await onOwnThread { try Self.readLines(process.output) }
        }
        #expect(copies.count == 3 && outcome.status == 0)
        #expect(try WireAnswer.all(outcome.result).map(\.id) == (1...count).map(String.init))
        for index in [0, 2] {
            #expect(Self.flags(copies[index]) == before[index])
            close(copies[index])
        }
    }

    @Test(arguments: [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
    func `descriptors that were closed at the start are no trouble`(_ closed: [Int]) async throws {
        let redirections = closed.map { "\($0)>&-" }.joined(separator: " ")
        let outcome = try await ServiceProcess.run(
            "/bin/sh",
            arguments: ["-c", "exec \"$0\" --allow-debug \(redirections)", BuiltProducts.path(of: "ncloud-kms-rpc")]
        ) { process in
            if closed == [2] {
                let answer = try await process.ask(Lines.probe(7))
                #expect(answer.id == "7")
                let descriptors = try ProcessFiles(processID: process.processID).descriptors()
                #expect(descriptors[1] == "/dev/null" && descriptors[2] == "/dev/null")
                process.closeInput()
            }
            // Without stdin it is at the end, without stdout there is nothing to do.
            return await process.rest()
        }
        #expect(outcome.result == [])
        #expect(outcome.status == 0)
        if closed.contains(2) { #expect(outcome.log == "") }
    }

    /// A pipe with a name, opened at both ends; ours is opened for `mode`.
    private static func namedPipe(_ folder: TemporaryDirectory, _ name: String, _ mode: CInt) throws -> Channel {
        let path = "\(folder.path)/\(name)"
        guard mkfifo(path, 0o600) == 0 else { throw PlatformError("mkfifo") }
        // Open for both, so that neither side has to wait for the other, and then each for its own.
        let both = open(path, O_RDWR | O_CLOEXEC)
        defer { close(both) }
        let ours = open(path, mode | O_CLOEXEC)
        let program = open(path, (mode == O_RDONLY ? O_WRONLY : O_RDONLY) | O_CLOEXEC)
        guard both >= 0, ours >= 0, program >= 0 else { throw PlatformError("open \(path)") }
        return Channel(program: program, ours: ours)
    }

    private static func name(of descriptor: CInt) throws -> String {
        try ProcessFiles(processID: getpid()).descriptors()[Int(descriptor)] ?? ""
    }

    private static func flags(_ descriptor: CInt) -> CInt { fcntl(descriptor, F_GETFL) }

    /// Reads to the end.
    private static func readLines(_ descriptor: CInt) throws -> [String] {
        try contents(of: "/proc/self/fd/\(descriptor)").split(separator: "\n").map(String.init)
    }
}
