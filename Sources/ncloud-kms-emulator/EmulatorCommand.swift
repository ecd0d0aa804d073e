import ArgumentParser
import KMSJSON
import KMSEmulator
import KMSPlatform

/// `ncloud-kms-emulator`: an emulator that runs around a command, or on its own.
///
/// The terms of this program, in addition to those of the module `KMSEmulator`:
/// - command: the program after `--`, which the emulator runs as its child
/// - standalone: an emulator without a command
/// - announcement: the line of JSON that says where a standalone emulator listens
struct EmulatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ncloud-kms-emulator",
        abstract: "An emulator of NAVER Cloud Platform's KMS on a port of this machine, for tests, demos and CI.",
        usage: """
            ncloud-kms-emulator [options] -- COMMAND [ARG…]
            ncloud-kms-emulator [options]
            """,
        discussion: helpText,
        version: ProgramVersion.description(of: "ncloud-kms-emulator", libraries: Emulator.libraryVersions))

    @Option(
        help: ArgumentHelp(
            "The keys, tokens and credentials to serve (JSON, see above); - reads standard input.", valueName: "file"),
        completion: .file())
    var seed: String?

    @Flag(
        help: "Plain HTTP; the default is TLS, with a certificate made at the start for localhost, 127.0.0.1 and ::1.")
    var http = false

    @Option(
        help: ArgumentHelp(
            "Listen on this address; 0.0.0.0 or :: for all. Other machines can reach it unless it is a loopback address.",
            valueName: "address"),
        transform: Self.listenAddress)
    var listen: IPAddress = .loopback

    @Option(help: "Listen on this port; 0 picks a free one.")
    var port: UInt16 = 0

    @Option(
        help: ArgumentHelp(
            "A further host name or address for the certificate. May be repeated.", valueName: "name"),
        transform: Self.subjectName)
    var san: [SubjectName] = []

    @Option(
        help: ArgumentHelp(
            "Write the certificate authority to trust to this file (PEM, readable by everybody). The file is not removed.",
            valueName: "file"
        ),
        completion: .file())
    var caOut: String?

    @Flag(
        help: """
            Also act as the metadata service of a VPC server: the command gets its credentials from the server's role instead \
            of a key pair.
            """)
    var metadata = false

    @Option(help: ArgumentHelp("Delay every answer except those to control requests.", valueName: "ms"))
    var latency = 0

    @Option(help: ArgumentHelp("Add a random delay of up to this much to the latency.", valueName: "ms"))
    var jitter = 0

    @Option(
        help: ArgumentHelp(
            "Answer 429 (code 410) above this number of requests per second for one key; 0 means no limit.",
            valueName: "n"))
    var throttle = 0

    @Option(
        help: ArgumentHelp(
            "Make a run reproducible: the same requests trigger the same faults and get the same jitter and request ids.",
            valueName: "n"))
    var randomSeed: UInt64?

    @Option(
        help: ArgumentHelp("A fault (see above). May be repeated.", valueName: "spec"),
        transform: { try Fault(parsing: $0) })
    var fault: [Fault] = []

    @Argument(parsing: .postTerminator, help: "The command to run, after --.")
    var command: [String] = []

    /// Five minutes: longer than any timeout that a test could wait for.
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
        // Before signals are blocked: the seed may be read from a terminal or a pipe, and Ctrl-C must end the wait.
        let seed = try loadSeed()
        // Before any thread starts, so that every thread inherits the mask and no signal is lost.
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
                // The words after `--` are the last arguments.
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
        let role = metadata ? " and get the role's key pair" : ""
        StandardError.report(
            "warning: listening on \(listen.urlHost):\(port), which other machines may reach; they can change what the "
                + "emulator answers\(role)")
    }

    /// Writes one line of JSON, the only output on stdout.
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

/// A standalone emulator without stdout can't say where it listens.
private struct ClosedOutput: Error, CustomStringConvertible {
    let description = "stdout is closed, so the emulator can't say where it listens"
}
