import ArgumentParser
import KMSService
import NCloudKMS
import Platform

/// What is in the way of a call, one line for each thing that is looked at.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check everything that a call needs.",
        discussion: """
            Looks at the configuration (every wrong setting is a line), the libraries, the credentials (never showing a \
            secret), the certificate authorities, the name of the service, the connection to it, and its clock; with a \
            key's tag it makes a real call, too. One line for each: ok, warn, FAIL or skip.

            With --format json each line is an object with check, verdict (ok, warn, fail or skip), text, and error \
            where a check failed with one.

            \(ExitStatus.helpText(of: .doctor))
            """)

    @Argument(
        help: ArgumentHelp("The tag of a key to call for; with @N its version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var key: KeyReference?

    @Option(help: "How the findings are written: text for people, json for programs.")
    var format = FindingFormat.text

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run() {
        do throws(CommandFailure) {
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            try OneShot.prepare(flags, needsStdout: true)
            let configuration = OneShot.configuration(flags).mapError { error in
                let all = ServiceConfiguration.mistakes(flags: flags, environment: .process)
                return Doctor.Mistakes(all.isEmpty ? [error] : all)
            }
            var doctor = Doctor(key: key) { finding in
                do throws(CommandFailure) {
                    let line = format == .json ? finding.json : Array(finding.line.utf8)
                    try AnswerTarget.stdout.write(line + [UInt8(ascii: "\n")])
                } catch {
                    Exit.now(error, asJSON: format == .json)
                }
            }
            Exit.now(doctor.examine(configuration, logger: OneShot.logger) ? .success : .negative)
        } catch {
            Exit.now(error, asJSON: format == .json)
        }
    }
}
