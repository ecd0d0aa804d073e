import KMSJSON
import Logging
import KMSPlatform
import KMSTestSupport
import Testing

@testable import KMSCommands

@Suite struct LogTests {
    private func line(_ metadata: [(name: String, value: Logger.MetadataValue)], _ format: LogFormat) -> String {
        String(
            decoding: format.line(level: .info, message: "m", metadata: metadata, wallClockMilliseconds: 0),
            as: UTF8.self)
    }

    /// The symptom: every value was a string, as in `"status":"200"`.
    @Test func `in a JSON log numbers are numbers, and what only looks like one is a string`() {
        let metadata: [(String, Logger.MetadataValue)] = [
            ("integer", .stringConvertible(-5)), ("wide", .stringConvertible(Int64.max)),
            ("double", .stringConvertible(1.5)), ("truth", .stringConvertible(true)), ("text", "200"),
            ("array", [.stringConvertible(1), "1"]), ("object", ["b": .stringConvertible(2), "a": "2"]),
            ("other", .stringConvertible(Zone.text)),
        ]
        #expect(
            line(metadata, .json)
                == #"{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"m","integer":-5,"#
                + #""wide":9223372036854775807,"double":1.5,"truth":true,"text":"200","array":[1,"1"],"#
                + #""object":{"a":"2","b":2},"other":"3"}"#)
        #expect(line([("status", .stringConvertible(200))], .text) == "1970-01-01T00:00:00.000Z info m status=200")
    }

    /// Something that is no number, though it describes itself as one.
    private enum Zone: CustomStringConvertible {
        case text
        var description: String { "3" }
    }

    // MARK: A reader that does not read

    /// The smallest pipe.
    private func makeLog() throws -> (writer: LogWriter, logger: Logger, read: CInt, write: CInt) {
        let ends = try Descriptors.pipe()
        // F_SETPIPE_SZ, which Swift does not import.
        try #require(fcntl(ends.write, 1031, 4_096) == 4_096)
        let writer = LogWriter(ends.write)
        let logger = Logger(label: "test") { _ in StderrLogHandler(level: .info, format: .json, writer: writer) }
        return (writer, logger, ends.read, ends.write)
    }

    private func available(_ descriptor: CInt) -> String {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) > 0 else { return "" }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
    }

    @Test(arguments: [1, 100, 1_000, 3_000])
    func `a full pipe does not end in half of a line`(length: Int) throws {
        let log = try makeLog()
        defer { close(log.read); close(log.write) }
        for _ in 0..<300 { log.logger.info("\(String(repeating: "x", count: length))") }
        let text = available(log.read)
        #expect(text.last == "\n")
        #expect(text.split(separator: "\n").allSatisfy { (try? JSONValue(parsing: String($0))) != nil })
    }

    /// The symptoms: the notice was plain text in a JSON log, and of the last line nothing or a half was there.
    @Test
    func `at the end all lines that wait are there, those that were dropped are counted, and the last is the last`()
        throws
    {
        let log = try makeLog()
        defer { close(log.read); close(log.write) }
        let count = 1_000
        for number in 0..<count { log.logger.info("\(number) \(String(repeating: "x", count: 1_000))") }
        log.writer.finish { log.logger.info("ended", metadata: ["reason": "a test"]) }
        let lines = try available(log.read).split(separator: "\n").map { try JSONValue(parsing: String($0)) }
        let notice = try #require(lines.dropLast().last)
        #expect(notice["level"]?.string == "warning")
        #expect((notice["dropped"]?.integer ?? 0) + lines.count - 2 == count)
        #expect(lines.last?["message"]?.string == "ended")
        #expect(lines.last?["reason"]?.string == "a test")
        #expect(
            lines.dropLast(2).enumerated().allSatisfy {
                $0.element["message"]?.string?.hasPrefix("\($0.offset) x") ?? false
            })
    }

    @Test func `a reader that always lags a little behind gets every line`() throws {
        let log = try makeLog()
        defer { close(log.read); close(log.write) }
        var text = ""
        for number in 0..<500 {
            log.logger.info("\(number)", metadata: ["x": "\(String(repeating: "x", count: 1_500))"])
            if number % 2 == 1 { text += available(log.read) }
        }
        log.writer.finish()
        text += available(log.read)
        let numbers = try text.split(separator: "\n").map { try JSONValue(parsing: String($0))["message"]?.string }
        #expect(numbers == (0..<500).map { "\($0)" })
    }

    /// The symptom: it was dropped and counted, though the reader was there.
    @Test func `a line of any length is taken where nothing waits`() throws {
        let folder = try TemporaryDirectory()
        let file = try Channel.file("\(folder.path)/log", O_RDWR | O_CREAT)
        defer { close(file.program) }
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<2 { LogWriter(file.program).write(line: line) }
        #expect(lseek(file.program, 0, CInt(SEEK_CUR)) == off_t(2 * (line.count + 1)))
    }

    @Test func `what is no line of the log counts dropped lines in words`() {
        #expect(String(decoding: LogWriter.plainNotice(2), as: UTF8.self).contains("2 log lines"))
    }
}
