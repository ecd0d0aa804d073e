import ArgumentParser
import KMSCommands
import KMSPlatform

/// Where the process begins.
@main
enum Main {
    static func main() {
        // Before anything can be written: a host that has closed stderr must not kill what has a status to tell.
        signal(SIGPIPE, SIG_IGN)
        do throws(PlatformError) {
            try StandardStreams.fillGaps()
        } catch {
            Exit.now(unableToServe: ConfigurationError("the system refused: \(error)", isUsage: false))
        }
        // To serve, or to exit with 0, would look as if the command had been carried out.
        guard let arguments = ProcessArguments.strings else {
            Exit.now(unableToServe: .internalFault("the system did not hand over the command line"))
        }
        // A host that starts the service has no use for ArgumentParser, and does not wait for it.
        guard let flags = ArgumentLine(arguments).servingFlags else { return Program.run(arguments) }
        Serve.serve(flags: flags)
    }
}

/// The command line, for all that is not read without ArgumentParser: help, commands, completions, and mistakes.
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ncloud-kms-rpc",
        abstract: "Public keys of NAVER Cloud's Key Management Service, over JSON-RPC 2.0 on stdin and stdout.",
        usage: "ncloud-kms-rpc [<options>] [<subcommand>]",
        discussion: """
            Without a subcommand it serves: one JSON-RPC request a line on stdin, one answer a line on stdout, logs on \
            stderr. Credentials come from NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY, from NCLOUD_KMS_TOKEN, \
            from the profile file, or from the server's role; never from the command line.

            \(ExitStatus.helpText)
            """,
        version: "ncloud-kms-rpc \(ProgramVersion.text)",
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

    /// ArgumentParser's own way out prints the usage below a mistake, which takes more lines than a host shows, and takes
    /// a full disk for success.
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
            // Help, the version, completions.
            try AnswerTarget.stdout.write(Array("\(fullMessage(for: error))\n".utf8))
            Exit.now(.success)
        } catch {
            Exit.now(error)
        }
    }

    /// A message of ArgumentParser's, which may be a sentence over a list, on one line.
    private static func oneLine(_ message: String) -> String {
        let lines = message.split(separator: "\n").map { $0.drop { $0 == " " } }
        let items = lines.filter { $0.hasPrefix("- ") }.map { $0.dropFirst(2) }
        return (lines.filter { !$0.hasPrefix("- ") } + (items.isEmpty ? [] : [items.joined(separator: ", ")[...]]))
            .joined(separator: " ")
    }
}
