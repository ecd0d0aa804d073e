import ArgumentParser
import KMSEmulator
import Platform

@main struct Main {
    static func main() {
        // Without a command it would serve, and whoever waits for the command's status would wait for ever.
        guard let arguments = ProcessArguments.strings else {
            StandardError.write("ncloud-kms-emulator: the system did not hand over the command line\n")
            Platform.exit(EX_SOFTWARE)
        }
        do {
            var command = try EmulatorCommand.parseAsRoot(arguments)
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
            StandardError.write("ncloud-kms-emulator: stdout: \(error)\n")
            Platform.exit(EX_IOERR)
        }
        Platform.exit(EXIT_SUCCESS)
    }
}
