import ArgumentParser
import JSON
import KMSEmulator
import Platform

/// `ncloud-kms-emulator`: an emulator around a command, or one that stands alone.
struct EmulatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ncloud-kms-emulator",
        abstract: "A KMS of NAVER Cloud Platform on a loopback port, for tests, demos and CI.",
        usage: """
            ncloud-kms-emulator [options] -- COMMAND [ARG…]
            ncloud-kms-emulator [options]
            """,
        discussion: helpText,
        version: Emulator.version)

    @Option(help: "The keys, tokens and credentials to serve (JSON, see above).", completion: .file())
    var seed: String?

    @Flag(help: "Plain HTTP; the default is TLS, with a certificate made at start for localhost, 127.0.0.1 and ::1.")
    var http = false

    @Option(help: "Listen on this port of 127.0.0.1; 0 takes a free one.")
    var port: UInt16 = 0

    @Option(help: ArgumentHelp("Delay every answer.", valueName: "ms"))
    var latency = 0

    @Option(help: ArgumentHelp("Add up to so much to the latency, at random.", valueName: "ms"))
    var jitter = 0

    @Option(
        help: ArgumentHelp(
            "Answer 429 with 410 beyond so many requests a second for one key; 0 for no limit.", valueName: "n"))
    var throttle = 0

    @Option(
        help: ArgumentHelp("Something that goes wrong (see above). May be repeated.", valueName: "spec"),
        transform: { try Fault(parsing: $0) })
    var fault: [Fault] = []

    @Argument(parsing: .postTerminator, help: "The command to run, after --.")
    var command: [String] = []

    /// Five minutes: beyond every time-out that a test could want to see.
    private static let maximumDelayMilliseconds = 300_000

    func validate() throws {
        for (name, value) in [("--latency", latency), ("--jitter", jitter)]
        where !(0...Self.maximumDelayMilliseconds).contains(value) {
            throw ValidationError("\(name) must be from 0 to \(Self.maximumDelayMilliseconds) ms.")
        }
        guard throttle >= 0 else { throw ValidationError("--throttle must not be negative.") }
    }

    func run() throws {
        // First of all, so that every thread inherits the mask and no signal is lost.
        let signals = SignalQueue()
        let seed = try loadSeed()
        let exitStatus: Int32
        do {
            let emulator = try Emulator(
                Emulator.Configuration(
                    seed: seed, usesTLS: !http, port: port, latency: .milliseconds(latency),
                    jitter: .milliseconds(jitter), throttlePerSecond: throttle == 0 ? nil : throttle, faults: fault))
            defer { emulator.stop() }
            if command.isEmpty {
                try announce(emulator, seed, caFile: emulator.certificateFile)
                signals.waitForTermination()
                exitStatus = 0
            } else {
                let environment = CommandEnvironment(
                    endpoint: emulator.endpoint, caFile: emulator.certificateFile, accessKey: seed.accessKeys[0])
                // What stands after `--` stands at the end.
                let arguments = ProcessArguments.pointers?.suffix(command.count) ?? []
                exitStatus = try WrappedCommand(Array(arguments), environment: environment, signals: signals).run()
            }
        } catch {
            StandardError.write("ncloud-kms-emulator: \(error)\n")
            throw ExitCode(OwnExitStatus.failure)
        }
        throw ExitCode(exitStatus)
    }

    private func loadSeed() throws -> Seed {
        guard let path = seed else { return .demo }
        do {
            return try Seed(parsing: try FileContents.of(path))
        } catch {
            throw ValidationError("--seed \(path): \(error)")
        }
    }

    /// One JSON line on standard output, and nothing else ever.
    private func announce(_ emulator: Emulator, _ seed: Seed, caFile: String?) throws {
        var json = JSONWriter()
        json.object { object in
            object.member("endpoint", emulator.endpoint)
            object.member("caFile", caFile)
            object.member("accessKeyId", seed.accessKeys[0].id)
            object.member("secretAccessKey", seed.accessKeys[0].secret)
            object.member("keys") { json in
                json.array { array in
                    for key in seed.keys { array.value(key.keyTag) }
                }
            }
        }
        try FileContents.append(json.bytes + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
    }
}

/// Exit statuses of the emulator itself, as `env` and `timeout` have them; others are those of the command.
enum OwnExitStatus {
    /// The emulator could not start.
    static let failure: Int32 = 125
    /// The command was found and can't be run.
    static let cannotRun: Int32 = 126
    static let notFound: Int32 = 127
}
