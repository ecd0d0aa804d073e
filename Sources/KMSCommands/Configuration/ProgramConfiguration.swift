import Logging
import NCloudKMS
import KMSPlatform

/// The whole configuration of the program, read and checked.
package struct ProgramConfiguration: Sendable {
    package let zone: Zone
    let client: KMSClientConfiguration
    package let framing: FramingName
    package let maximumMessageBytes: Int
    package let maximumBatchCount: Int
    package let maximumInFlight: Int
    package let parentPID: Int?
    let logLevel: Logger.Level
    /// Nil leaves it to whether stderr is a terminal.
    let logFormat: LogFormat?

    /// How messages are told apart, as `--framing` has it.
    package enum FramingName: String, CaseIterable, Sendable {
        case lines, headers, auto
    }

    /// - Parameter flags: the flags that were given; one without a value has "".
    /// - Throws: `ConfigurationError` for the first mistake.
    package init(
        flags: [Setting.Name: String], environment: EnvironmentVariables
    ) throws(ConfigurationError) {
        let reader = SettingReader(flags: flags, environment: environment)
        zone = try reader.zone()
        client = try reader.clientConfiguration(zone: zone)
        framing = try reader.choice(.framing)
        maximumMessageBytes = try reader.integer(.maxMessageBytes, in: 1_024...(1 << 30))
        maximumBatchCount = try reader.integer(.maxBatch, in: 1...1_000_000)
        maximumInFlight = try reader.integer(.maxInFlight, in: 1...65_536)
        parentPID = try reader.optionalInteger(.parentPID, in: 1...Int(Int32.max))
        logLevel = try reader.choice(.logLevel, synonyms: ["warn": .warning])
        logFormat = try reader.optionalChoice(.logFormat)
    }

    /// Every mistake in the configuration, in the order of the settings, where `init` throws the first: each setting is
    /// read as if it was the only one.
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
            // The profile is looked for in the file, so the two are read together.
            case .profile: mistake([.profile, .configFile])
            case .configFile: nil
            default: mistake([name])
            }
        }
        // A mistake that only settings together make.
        return found.isEmpty ? mistake(Setting.Name.allCases).map { [$0] } ?? [] : found
    }

    package func logger(writer: LogWriter) -> Logger {
        let format = logFormat ?? (writer.isTerminal ? .text : .json)
        return Logger(label: "ncloud-kms-rpc") { _ in
            StderrLogHandler(level: logLevel, format: format, writer: writer)
        }
    }

    /// The client of the program, for whichever of its commands, on a loop that the calling thread runs.
    ///
    /// - Throws: `ConfigurationError` when the configuration can't be put to work: a CA file that can't be read, a
    ///   libcurl that can't be used.
    package func makeClient(logger: Logger) throws(ConfigurationError) -> KMSClient {
        let loop: EventLoop
        do {
            loop = try EventLoop()
        } catch {
            throw ConfigurationError("the system is out of resources: \(error)", isUsage: false)
        }
        do {
            return try KMSClient(client, on: loop, logger: logger)
        } catch {
            throw ConfigurationError(error.description, isUsage: false)
        }
    }
}

/// The version of the program, as `--version`, `getStatus` and the user agent give it (semver.org).
package enum ProgramVersion {
    package static let text = "0.1.0"
}
