import ArgumentParser
import KMSCommands
import NCloudKMS
import KMSPlatform

/// The entry point.
///
/// The terms of this program are those of the module `KMSCommands`; in addition:
/// - service: the program while it serves JSON-RPC
/// - host: the program that spawned it
/// - parent: the process whose end also ends it (`--parent-pid`)
@main
enum Main {
    static func main() {
        // Before anything is written: a closed stderr must not kill a process that has a status to report.
        signal(SIGPIPE, SIG_IGN)
        do throws(PlatformError) {
            try StandardStreams.fillGaps()
        } catch {
            Exit.now(unableToServe: ConfigurationError("the program could not start: \(error)", isUsage: false))
        }
        // Serving, or exiting with 0, would look as if the command had been executed.
        guard let arguments = ProcessArguments.strings else {
            Exit.now(unableToServe: .internalFault("the system did not provide the command line"))
        }
        if ProcessArguments.programName == SigstorePlugin.programName { SigstoreProgram.run() }
        // A host that starts the service does not need ArgumentParser, and should not wait for it.
        guard let flags = ArgumentLine(arguments).servingFlags else { return Program.run(arguments) }
        Serve.serve(flags: flags)
    }
}

/// The command line, for everything that needs ArgumentParser: help, commands, completions, and errors.
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ncloud-kms-rpc",
        abstract: "Public keys of NAVER Cloud's Key Management Service, over JSON-RPC 2.0 on stdin and stdout.",
        usage: "ncloud-kms-rpc [<options>] [<subcommand>]",
        discussion: """
            Without a subcommand it serves: one JSON-RPC request per line on stdin, one answer per line on stdout, logs on \
            stderr. Credentials come from NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY, from NCLOUD_KMS_TOKEN, \
            from the profile file, or from the server's role; never from the command line.

            \(ExitStatus.helpText)
            """,
        version: ProgramVersion.description(of: "ncloud-kms-rpc", libraries: CurlEnvironment.loadedVersions),
        subcommands: [
            Serve.self, GetPublicKeyCommand.self, VerifyCommand.self, DoctorCommand.self, TerraformCommand.self,
        ])

    @OptionGroup var options: ServiceOptions

    static func run(_ arguments: [String]) {
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch {
            exit(after: error, arguments: arguments)
        }
    }

    func run() {
        Serve.serve(flags: options.flags)
    }

    /// ArgumentParser's own exit prints the usage after an error, which takes more lines than a host shows, and reports
    /// success on a full disk.
    private static func exit(after error: any Error, arguments: [String]) -> Never {
        let line = ArgumentLine(arguments)
        if let word = line.unknownCommand {
            Exit.now(.usage("\(CommandWord(word).message) (--help lists the options)"), asJSON: line.wantsJSON)
        }
        guard exitCode(for: error) == .success else {
            let failure = CommandFailure.usage(
                "\(oneLine(line.shortening(message(for: error)))) (--help lists the options)")
            if line.serves { Exit.now(unableToServe: failure) }
            Exit.now(failure, asJSON: line.wantsJSON)
        }
        do throws(CommandFailure) {
            // Help, the version, or a completion script.
            try AnswerTarget.stdout.write(Array("\(fullMessage(for: error))\n".utf8))
            Exit.now(.success)
        } catch {
            Exit.now(error)
        }
    }

    /// A message of ArgumentParser, which may be a sentence followed by a list, as one line.
    private static func oneLine(_ message: String) -> String {
        let lines = message.split(separator: "\n").map { $0.drop { $0 == " " } }
        let items = lines.filter { $0.hasPrefix("- ") }.map { $0.dropFirst(2) }
        return (lines.filter { !$0.hasPrefix("- ") } + (items.isEmpty ? [] : [items.joined(separator: ", ")[...]]))
            .joined(separator: " ")
    }
}
