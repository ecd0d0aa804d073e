import ArgumentParser
import KMSJSON
import KMSEmulator
import KMSPlatform

/// `ncloud-kms-emulator`: an emulator around a command, or one that stands alone.
struct EmulatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ncloud-kms-emulator",
        abstract: "An emulator of NAVER Cloud Platform's KMS on a port of this machine, for tests, demos and CI.",
        usage: """
            ncloud-kms-emulator [options] -- COMMAND [ARG…]
            ncloud-kms-emulator [options]
            """,
        discussion: helpText,
        version: Emulator.version)

    @Option(
        help: ArgumentHelp(
            "The keys, tokens and credentials to serve (JSON, see above); - reads standard input.", valueName: "file"),
        completion: .file())
    var seed: String?

    @Flag(help: "Plain HTTP; the default is TLS, with a certificate made at start for localhost, 127.0.0.1 and ::1.")
    var http = false

    @Option(
        help: ArgumentHelp(
            "Listen on this address; 0.0.0.0 or :: for all. Other machines can reach all but loopback addresses.",
            valueName: "address"),
        transform: Self.listenAddress)
    var listen: IPAddress = .loopback

    @Option(help: "Listen on this port; 0 takes a free one.")
    var port: UInt16 = 0

    @Option(
        help: ArgumentHelp(
            "A further host name or address for the certificate. May be repeated.", valueName: "name"),
        transform: Self.subjectName)
    var san: [SubjectName] = []

    @Option(
        help: ArgumentHelp(
            "Write the authority to trust to this file, as PEM; everybody can read it, and it is not removed.",
            valueName: "file"
        ),
        completion: .file())
    var caOut: String?

    @Flag(
        help: """
            Be the metadata service of a VPC server, too: the command gets its credentials from the server's role instead \
            of a key pair.
            """)
    var metadata = false

    @Option(help: ArgumentHelp("Delay every answer except those to control requests.", valueName: "ms"))
    var latency = 0

    @Option(help: ArgumentHelp("Add a random delay of up to this much to the latency.", valueName: "ms"))
    var jitter = 0

    @Option(
        help: ArgumentHelp(
            "Answer 429 (410) beyond this number of requests per second for one key; 0 for no limit.",
            valueName: "n"))
    var throttle = 0

    @Option(
        help: ArgumentHelp(
            "Repeat a run: the same requests meet the same faults and get the same jitter and request ids.",
            valueName: "n"))
    var randomSeed: UInt64?

    @Option(
        help: ArgumentHelp("A fault (see above). May be repeated.", valueName: "spec"),
        transform: { try Fault(parsing: $0) })
    var fault: [Fault] = []

    @Argument(parsing: .postTerminator, help: "The command to run, after --.")
    var command: [String] = []

    /// Five minutes: longer than any time-out that a test could want to see.
    private static let maximumDelayMilliseconds = 300_000
    /// The same as the limit of `PUT /_emulator/seed`.
    private static let maximumSeedBytes = 8 << 20

    private static func listenAddress(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else {
            throw ValidationError("it must be an IP address, such as 127.0.0.1, 0.0.0.0 or ::1")
        }
        return address
    }

    private static func subjectName(_ text: String) throws -> SubjectName {
        guard let name = SubjectName(text) else {
            throw ValidationError("it must be a host name or an IP address, such as kms.test, *.test or 10.0.0.5")
        }
        return name
    }

    func validate() throws {
        for (name, value) in [("--latency", latency), ("--jitter", jitter)]
        where !(0...Self.maximumDelayMilliseconds).contains(value) {
            throw ValidationError("\(name) must be from 0 to \(Self.maximumDelayMilliseconds) ms.")
        }
        guard throttle >= 0 else { throw ValidationError("--throttle must not be negative.") }
        if http, caOut != nil || !san.isEmpty {
            throw ValidationError("\(caOut == nil ? "--san" : "--ca-out") needs TLS, which --http turns off.")
        }
        if caOut == "" { throw ValidationError("--ca-out needs the path of a file.") }
    }

    func run() throws {
        // Before signals are blocked: a seed may come from a terminal or a pipe, and Ctrl-C must end the wait.
        let seed = try loadSeed()
        // Before any thread is started, so that every thread inherits the mask and no signal is lost.
        let signals = SignalQueue()
        let exitStatus: Int32
        do {
            if command.isEmpty, try StandardStreams.fillGaps().contains(STDOUT_FILENO) { throw ClosedOutput() }
            let emulator = try Emulator(
                Emulator.Configuration(
                    seed: seed, usesTLS: !http, address: listen, port: port, names: san,
                    certificatePath: caOut.map { HomeDirectory.expanding($0) },
                    servesMetadata: metadata, latency: .milliseconds(latency), jitter: .milliseconds(jitter),
                    throttlePerSecond: throttle == 0 ? nil : throttle, faults: fault, randomSeed: randomSeed))
            defer { emulator.stop() }
            if !listen.isLoopback { warnOfOthers(emulator.port) }
            if command.isEmpty {
                try announce(emulator, seed, caFile: emulator.certificateFile)
                signals.waitForTermination()
                exitStatus = 0
            } else {
                let environment = CommandEnvironment(
                    endpoint: emulator.endpoint, caFile: emulator.certificateFile,
                    credentials: metadata
                        ? .serverRole(endpoint: emulator.endpoint) : .keyPair(seed.accessKeys[0]))
                // The words after `--` are the last ones.
                let arguments = ProcessArguments.pointers?.suffix(command.count) ?? []
                exitStatus = try WrappedCommand(Array(arguments), environment: environment, signals: signals).run()
            }
        } catch let error as CertificateFile.NoTemporaryFolder {
            let advice = "set TMPDIR, or use --ca-out FILE or --http"
            StandardError.report("\(error); \(advice)")
            throw ExitCode(OwnExitStatus.failure)
        } catch {
            StandardError.report("\(error)")
            throw ExitCode(OwnExitStatus.failure)
        }
        throw ExitCode(exitStatus)
    }

    private func loadSeed() throws -> Seed {
        guard let path = seed else { return .demo }
        do {
            return try Seed(
                parsing: path == "-"
                    ? FileContents.of(descriptor: STDIN_FILENO, maximumBytes: Self.maximumSeedBytes)
                    : FileContents.of(HomeDirectory.expanding(path)))
        } catch {
            throw ValidationError("--seed \(path): \(error)")
        }
    }

    private func warnOfOthers(_ port: UInt16) {
        let role = metadata ? " and get the key pair of the role" : ""
        StandardError.report(
            "warning: it listens on \(listen.urlHost):\(port), where other machines may reach it: they can change what it "
                + "answers\(role)")
    }

    /// Writes one line of JSON, the only one that standard output ever gets.
    private func announce(_ emulator: Emulator, _ seed: Seed, caFile: String?) throws {
        var json = JSONWriter()
        json.object { object in
            object.member("endpoint", emulator.endpoint)
            object.member("caFile", caFile)
            object.member("accessKeyId", seed.accessKeys[0].id)
            object.member("secretAccessKey", seed.accessKeys[0].secret)
            if metadata { object.member("metadataEndpoint", emulator.endpoint) }
            object.member("keys") { json in
                json.array { array in
                    for key in seed.keys { array.value(key.keyTag) }
                }
            }
        }
        try FileContents.append(json.bytes + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
    }
}

/// An emulator that stands alone has nowhere to announce itself.
private struct ClosedOutput: Error, CustomStringConvertible {
    let description = "stdout is closed, so nobody could read where the emulator listens"
}
