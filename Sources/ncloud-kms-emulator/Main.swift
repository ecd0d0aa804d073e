import ArgumentParser
import KMSEmulator
import Platform

@main struct Main {
    static func main() {
        do throws(PlatformError) {
            try StandardStreams.fillGaps()
        } catch {
            end("the system refused: \(error)", status: OwnExitStatus.failure)
        }
        // Without a command it would serve, and whoever waits for the command's status would wait for ever.
        guard let arguments = ProcessArguments.strings else {
            end("the system did not hand over the command line", status: EX_SOFTWARE)
        }
        do {
            var command = try EmulatorCommand.parseAsRoot(arguments)
            // As `-- $CMD` with an empty variable: standing alone would print a secret and wait for ever.
            if (command as? EmulatorCommand)?.command.isEmpty == true, arguments.contains("--") {
                end("no command follows \"--\"; leave that out to run the emulator alone", status: EX_USAGE)
            }
            try command.run()
        } catch {
            exit(after: error)
        }
    }

    /// ArgumentParser's own way out takes a full disk for success.
    private static func exit(after error: any Error) -> Never {
        let text = EmulatorCommand.fullMessage(for: error)
        guard EmulatorCommand.exitCode(for: error) == .success, !text.isEmpty else {
            EmulatorCommand.exit(withError: error)
        }
        do {
            // Help, the version, completions.
            try FileContents.append(Array("\(text)\n".utf8), to: STDOUT_FILENO)
        } catch {
            end("stdout: \(error)", status: EX_IOERR)
        }
        Platform.exit(EXIT_SUCCESS)
    }

    private static func end(_ message: String, status: CInt) -> Never {
        StandardError.write("ncloud-kms-emulator: \(message)\n")
        Platform.exit(status)
    }
}
