import KMSJSON
import Logging
import KMSPlatform

/// Writes swift-log's messages as lines to stderr, in the configured format.
struct StderrLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    private let writer: LogWriter
    private let format: LogFormat
    private let clock: any TimeSource

    init(level: Logger.Level, format: LogFormat, writer: LogWriter, clock: any TimeSource = SystemClock()) {
        logLevel = level
        self.format = format
        self.writer = writer
        self.clock = clock
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let more = event.metadata { all.merge(more) { _, new in new } }
        let fields = all.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        let time = clock.wallClockMilliseconds
        writer.write(
            line: format.line(
                level: event.level, message: event.message.description, metadata: fields, wallClockMilliseconds: time),
            notice: { dropped in
                format.line(
                    level: .warning, message: "log lines were dropped because nobody read them",
                    metadata: [("dropped", .stringConvertible(dropped))], wallClockMilliseconds: time)
            })
    }
}

/// The format of log lines.
enum LogFormat: String, CaseIterable, Sendable {
    /// `2026-11-24T06:00:00.123Z warning a sentence name=value`
    case text
    /// One object with `time`, `level`, `message` and the metadata, where numbers are JSON numbers.
    case json

    func line(
        level: Logger.Level, message: String, metadata: [(name: String, value: Logger.MetadataValue)],
        wallClockMilliseconds: Int64
    ) -> [UInt8] {
        let time = CivilTime(milliseconds: wallClockMilliseconds).rfc3339
        switch self {
        case .text:
            let fields = metadata.map { " \($0.name)=\(Self.field("\($0.value)"))" }.joined()
            return Array("\(time) \(level.rawValue) \(Self.escapingControls(message))\(fields)".utf8)
        case .json:
            var json = JSONWriter()
            json.object { line in
                line.member("time", time)
                line.member("level", level.rawValue)
                line.member("message", message)
                for field in metadata { line.member(named: field.name) { Self.write(field.value, to: &$0) } }
            }
            return Self.escapingControls(inJSON: json.bytes)
        }
    }

    /// A value with spaces or quotes is written as a JSON string, so that fields can be told apart.
    static func field(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != 0x22 && $0 != 0x3D }
        if isPlain { return escapingControls(value) }
        var json = JSONWriter()
        json.value(value)
        return escapingControls(String(decoding: json.bytes, as: UTF8.self))
    }

    /// Metadata as JSON; numbers and booleans keep their types.
    private static func write(_ value: Logger.MetadataValue, to json: inout JSONWriter) {
        switch value {
        case .string(let string): json.value(string)
        case .stringConvertible(let number as any BinaryInteger) where Int(exactly: number) != nil:
            json.value(Int(number))
        case .stringConvertible(let number as Double): json.value(number)
        case .stringConvertible(let truth as Bool): json.value(truth)
        case .stringConvertible(let other): json.value(other.description)
        case .array(let elements):
            json.array { array in for element in elements { write(element, to: &array) } }
        case .dictionary(let members):
            json.object { object in
                for member in members.sorted(by: { $0.key < $1.key }) {
                    object.member(named: member.key) { write(member.value, to: &$0) }
                }
            }
        }
    }

    /// Text from the service or a host may contain characters that move a terminal's cursor, forge a line, or reorder
    /// the rest of the line (such as U+202E).
    static func escapingControls(_ text: String) -> String {
        // Most texts are ASCII, and need no look-up in Unicode's tables.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
        guard text.unicodeScalars.contains(where: controlsDisplay) else { return text }
        return text.unicodeScalars.map { scalar in
            controlsDisplay(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }.joined()
    }

    /// The same in a JSON text, as people read those, too; outside of its strings such characters can't occur.
    private static func escapingControls(inJSON json: [UInt8]) -> [UInt8] {
        if json.allSatisfy({ $0 < 0x7F }) { return json }
        let text = String(decoding: json, as: UTF8.self)
        guard text.unicodeScalars.contains(where: controlsDisplay) else { return json }
        var escaped = ""
        for scalar in text.unicodeScalars {
            guard controlsDisplay(scalar) else {
                escaped.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return Array(escaped.utf8)
    }

    /// Control characters, invisible formatting characters, and Unicode's line separators.
    private static func controlsDisplay(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
