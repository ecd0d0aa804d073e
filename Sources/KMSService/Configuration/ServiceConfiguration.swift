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
        zone = try reader.value(.zone) { text throws(InvalidValue) in try Zone(named: text.lowercased()) } ?? .global
        client = try reader.clientConfiguration(zone: zone)
        framing = try reader.choice(.framing) ?? .auto
        maximumMessageBytes = try reader.integer(.maxMessageBytes, in: 1_024...(1 << 30)) ?? 1 << 20
        maximumBatchCount = try reader.integer(.maxBatch, in: 1...1_000_000) ?? 1_000
        maximumInFlight = try reader.integer(.maxInFlight, in: 1...65_536) ?? 1_024
        parentPID = try reader.integer(.parentPID, in: 1...Int(Int32.max))
        logLevel = try reader.choice(.logLevel, synonyms: ["warn": .warning]) ?? .info
        logFormat = try reader.choice(.logFormat)
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
