import ArgumentParser
import KMSService
import NCloudKMS
import Platform

/// What is in the way of a call, one line for each thing that is looked at.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check everything that a call needs.",
        discussion: """
            Looks at the configuration, the libraries, the credentials (never showing a secret), the name of the \
            service, the connection to it, and its clock; with a key's tag it makes a real call, too. One line for \
            each: ok, FAIL or skip. Exit status: 0, or 1 if something has failed; 64 for a wrong command line.
            """)

    @Argument(help: "The tag of a key to call for.", transform: { try KeyTag($0) })
    var keyTag: KeyTag?

    @ParentCommand var program: Program
    @OptionGroup var options: ServiceOptions

    func run() {
        let flags = program.options.flags(overriddenBy: options)
        let configuration = Result { () throws(ConfigurationError) in
            try OneShot.configuration(flags, withoutOutput: EXIT_FAILURE)
        }
        var doctor = Doctor(keyTag: keyTag) { finding in
            do {
                try FileContents.append(Array("\(finding.line)\n".utf8), to: STDOUT_FILENO)
            } catch {
                Exit.now("stdout: \(error)", status: EXIT_FAILURE)
            }
        }
        Exit.now(
            status: doctor.examine(configuration, logger: OneShot.logger) ? EXIT_SUCCESS : EXIT_FAILURE)
    }
}
