import Logging
import Platform

/// swift-log's messages as lines on stderr, in the format of the configuration.
public struct StderrLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level

    private let writer: LogWriter
    private let format: LogFormat
    private let clock: any TimeSource

    public init(level: Logger.Level, format: LogFormat, writer: LogWriter, clock: any TimeSource = SystemClock()) {
        logLevel = level
        self.format = format
        self.writer = writer
        self.clock = clock
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let more = event.metadata { all.merge(more) { _, new in new } }
        let fields = all.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        let time = clock.wallClockMilliseconds
        writer.write(
            line: format.line(
                level: event.level, message: event.message.description, metadata: fields, wallClockMilliseconds: time),
            notice: { dropped in
                format.line(
                    level: .warning, message: "log lines were dropped, since nobody read them",
                    metadata: [("dropped", .stringConvertible(dropped))], wallClockMilliseconds: time)
            })
    }
}
