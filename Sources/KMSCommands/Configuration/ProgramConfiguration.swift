import Logging
import NCloudKMS
import KMSPlatform

/// The configuration of the program, parsed and checked.
///
/// The terms of this module:
/// - command: what the first word of the command line names (`serve`, `get-public-key`, …); without one the program
///   serves
/// - setting: an entry of the configuration; a flag or an environment variable gives its value
/// - configuration: the checked values of all settings
/// - reference: a key on the command line, `KEYTAG` or `KEYTAG@VERSION`
/// - query: a checked request for a key or a verification
/// - failure: why a command has no answer, with its exit status
/// - finding: the result of one check of `doctor`
/// - plugin: the program when cosign or another client of sigstore starts it by its other name, once for each call
package struct ProgramConfiguration: Sendable {
    package let zone: Zone
    let client: KMSClientConfiguration
    package let framing: FramingName
    package let maximumMessageBytes: Int
    package let maximumBatchCount: Int
    package let maximumInFlight: Int
    package let parentPID: Int?
    let logLevel: Logger.Level
    /// Nil: text if stderr is a terminal, otherwise JSON.
    let logFormat: LogFormat?

    /// The values of `--framing`: how messages are separated.
    package enum FramingName: String, CaseIterable, Sendable {
        case lines, headers, auto
    }

    /// - Parameter flags: the flags on the command line; a flag without a value has "".
    /// - Throws: `ConfigurationError` for the first error.
    package init(
        flags: [Setting.Name: String], environment: EnvironmentVariables
    ) throws(ConfigurationError) {
        let reader = SettingReader(flags: flags, environment: environment)
        zone = try reader.zone()
        client = try reader.clientConfiguration()
        framing = try reader.choice(.framing)
        maximumMessageBytes = try reader.integer(.maxMessageBytes, in: 1_024...(1 << 30))
        maximumBatchCount = try reader.integer(.maxBatch, in: 1...1_000_000)
        maximumInFlight = try reader.integer(.maxInFlight, in: 1...65_536)
        parentPID = try reader.optionalInteger(.parentPID, in: 1...Int(Int32.max))
        logLevel = try reader.choice(.logLevel, synonyms: ["warn": .warning])
        logFormat = try reader.optionalChoice(.logFormat)
    }

    /// All errors in the configuration, in the order of the settings. `init` throws only the first error; this checks
    /// each setting separately.
    package static func mistakes(
        flags: [Setting.Name: String], environment: EnvironmentVariables
    ) -> [ConfigurationError] {
        func mistake(_ names: [Setting.Name]) -> ConfigurationError? {
            let others = Setting.all.filter { !names.contains($0.name) }.flatMap(\.variables)
            do {
                _ = try ProgramConfiguration(
                    flags: flags.filter { names.contains($0.key) }, environment: environment.without(others))
                return nil
            } catch {
                return error
            }
        }
        let found = Setting.Name.allCases.compactMap { name in
            switch name {
            // The profile is a section of the file, so both are checked together.
            case .profile: mistake([.profile, .configFile])
            case .configFile: nil
            default: mistake([name])
            }
        }
        // An error in a combination of settings.
        return found.isEmpty ? mistake(Setting.Name.allCases).map { [$0] } ?? [] : found
    }

    package func logger(writer: LogWriter) -> Logger {
        let format = logFormat ?? (writer.isTerminal ? .text : .json)
        return Logger(label: "ncloud-kms-rpc") { _ in
            StderrLogHandler(level: logLevel, format: format, writer: writer)
        }
    }

    /// The program's client, for any command, on a loop that the calling thread runs.
    ///
    /// - Throws: `ConfigurationError` if the configuration can't be used: for example an unreadable CA file or an
    ///   unusable libcurl.
    package func makeClient(logger: Logger) throws(ConfigurationError) -> KMSClient {
        let loop: EventLoop
        do {
            loop = try EventLoop()
        } catch {
            throw ConfigurationError("the client could not start: \(error)", isUsage: false)
        }
        do {
            return try KMSClient(client, on: loop, logger: logger)
        } catch {
            throw ConfigurationError(error.description, isUsage: false)
        }
    }
}
