import JSONRPC
import Logging
import NCloudKMS
import Platform

/// The whole configuration of the program, read and checked.
public struct ServiceConfiguration: Sendable {
    public let zone: Zone
    public let client: KMSClientConfiguration
    public let framing: FramingName
    public let maximumMessageBytes: Int
    public let maximumBatchCount: Int
    public let maximumInFlight: Int
    public let parentPID: Int?
    public let logLevel: Logger.Level
    /// Nil leaves it to whether stderr is a terminal.
    public let logFormat: LogFormat?

    /// How messages are told apart, as `--framing` has it.
    public enum FramingName: String, CaseIterable, Sendable {
        case lines, headers, auto
    }

    /// - Parameter flags: the flags that were given; one without a value has "".
    /// - Throws: `ConfigurationError` for the first mistake.
    public init(
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
                _ = try ServiceConfiguration(
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

    public func logger(writer: LogWriter) -> Logger {
        let format = logFormat ?? (writer.isTerminal ? .text : .json)
        return Logger(label: "ncloud-kms-rpc") { _ in
            StderrLogHandler(level: logLevel, format: format, writer: writer)
        }
    }

    var framingValue: any Framing {
        switch framing {
        case .lines: LineFraming(maximumMessageBytes: maximumMessageBytes)
        case .headers: HeaderFraming(maximumMessageBytes: maximumMessageBytes)
        case .auto: AutomaticFraming(maximumMessageBytes: maximumMessageBytes)
        }
    }
}
