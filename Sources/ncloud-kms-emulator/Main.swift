import KMSEmulator
import Platform

@main struct Main {
    static func main() {
        // Without a command it would serve, and whoever waits for the command's status would wait for ever.
        guard let arguments = ProcessArguments.strings else {
            StandardError.write("ncloud-kms-emulator: the system did not hand over the command line\n")
            exit(EX_SOFTWARE)
        }
        EmulatorCommand.main(arguments)
    }
}
