import KMSJSON
import KMSJSONRPC
import KMSPlatform

@testable import KMSService
@testable import NCloudKMS

let wireTargets = [
    FuzzTarget("framing", maximumBytes: 512, checkFraming),
    FuzzTarget("connection", maximumBytes: 1_024) { try checkConnection($0) },
    FuzzTarget("mcp", maximumBytes: 512, checkTool),
]

// MARK: Framing

/// The first byte chooses the framing and the limit, the second one the chunks.
private func checkFraming(_ input: [UInt8]) throws {
    guard input.count > 2 else { return }
    let stream = Array(input[2...])
    let maximum = input[0] & 4 == 0 ? 1 << 20 : 16
    let framing: any Framing =
        switch input[0] % 3 {
        case 0: LineFraming(maximumMessageBytes: maximum)
        case 1: HeaderFraming(maximumMessageBytes: maximum)
        default: AutomaticFraming(maximumMessageBytes: maximum)
        }
    let whole = try frames(stream, framing) { _ in stream.count }
    try require(try frames(stream, framing) { _ in 1 } == whole, "byte by byte gives the same as a whole")
    var state = UInt64(input[1]) | 1
    let chunked = try frames(stream, framing) { _ in
        // Knuth's MMIX generator.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 60) + 1
    }
    try require(chunked == whole, "random chunks give the same as a whole")
    if input[0] % 3 == 0 { try require(whole == lines(stream, maximum: maximum), "the frames are the lines") }
}

private enum Frame: Equatable {
    case message(ArraySlice<UInt8>)
    case error(Int)
}

private func frames(_ stream: [UInt8], _ framing: any Framing, nextChunk: (Int) -> Int) throws -> [Frame] {
    var framing = framing
    var frames: [Frame] = []
    var (start, end) = (0, 0)
    while true {
        let isEnd = end == stream.count
        let step = stream[start..<end].withUnsafeBufferPointer { framing.next(in: $0, isEnd: isEnd) }
        let consumed: Int
        switch step {
        case .incomplete:
            if isEnd { return frames }
            end = min(end + nextChunk(end), stream.count)
            continue
        case .skip(let count): consumed = count
        case .message(let range, let count):
            frames.append(.message(stream[(start + range.lowerBound)..<(start + range.upperBound)]))
            consumed = count
        case .tooLong(_, let count):
            frames.append(.error(0))
            consumed = count
        case .stop(let error): return frames + [.error(error.code)]
        }
        try require(consumed > 0 && consumed <= end - start, "a step consumes what is there")
        start += consumed
    }
}

/// What `LineFraming` should find.
private func lines(_ stream: [UInt8], maximum: Int) -> [Frame] {
    var lines = stream.droppingByteOrderMark().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.compactMap { line in
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        if line.count > maximum { return .error(0) }
        return line.allSatisfy({ " \t\r".utf8.contains($0) }) ? nil : .message(line)
    }
}

// MARK: The whole connection

/// Serves the input on pipes, with every dialect, and checks every answer.
@discardableResult
private func checkConnection(_ input: [UInt8]) throws -> [JSONValue] {
    let output = try serve(input)
    // Answers are framed as the requests are.
    let framing: any Framing =
        output.starts(with: "Content-Length".utf8)
        ? HeaderFraming(maximumMessageBytes: 1 << 20) : LineFraming(maximumMessageBytes: 1 << 20)
    return try frames(output, framing) { _ in output.count }.flatMap { frame in
        guard case .message(let message) = frame, let value = try? JSONValue(parsing: Array(message)) else {
            throw BrokenRule(description: "every answer is JSON: \(output.text)")
        }
        let answers = value.elements ?? [value]
        try require(!answers.isEmpty, "no batch of answers is empty")
        for answer in answers {
            try require(answer["jsonrpc"]?.string == "2.0", "every message is of JSON-RPC 2.0")
            if answer["method"]?.string == "notifications/progress" { continue }
            try require(answer["id"] != nil, "an answer has an id")
            try require((answer["result"] == nil) != (answer["error"] == nil), "an answer has a result or an error")
            if let error = answer["error"] {
                try require(error["code"]?.integer != nil && error["message"]?.string != nil, "a complete error")
            }
        }
        return answers
    }
}

private func serve(_ input: [UInt8]) throws -> [UInt8] {
    let requests = try Pipe()
    let answers = try Pipe()
    defer { answers.close() }
    // The pipe takes it all at once, so no second thread is needed.
    guard write(requests.writing, input, input.count) == input.count else { throw PlatformError("write") }
    close(requests.writing)
    defer { close(requests.reading) }

    let loop = try EventLoop()
    let methods: [any Method] = [
        WaitingMethod(name: "getPublicKey", loop: loop) { params throws(RPCError) in
            _ = try GetPublicKey.Request(params)
        },
        ReadyMethod(name: "verifySignature") { params throws(RPCError) in _ = try SignatureQuery(params) },
    ]
    let connection = Connection(
        Connection.Configuration(
            input: requests.reading, output: answers.writing,
            framing: AutomaticFraming(maximumMessageBytes: 512), maximumBatchCount: 8, maximumInFlight: 4),
        on: loop, methods: methods, dialects: Service.dialects(version: "0", methods))
    let _: ConnectionEnding = connection.run()
    // Calls whose connection has ended before them may still end: that does nothing.
    loop.submit { loop.stop() }
    loop.run()
    close(answers.writing)
    return answers.readToEnd()
}

/// Reads its parameters as the method of this name does, and answers later, so that the call can be cancelled.
private struct WaitingMethod: Method {
    let name: String
    let loop: EventLoop
    let parse: @Sendable (RawParameters?) throws(RPCError) -> Void

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        try parse(params)
        call.report("parsing", total: 1)
        call.onCancellation {}
        let value = params?.value
        loop.submit { call.succeed { $0.value(value) } }
    }
}

/// Reads its parameters as the method of this name does, and answers at once.
private struct ReadyMethod: Method {
    let name: String
    let parse: @Sendable (RawParameters?) throws(RPCError) -> Void

    func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)? {
        (try? parse(params)).map { ReadyNull() }
    }

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        try parse(params)
        call.succeed { $0.null() }
    }
}

private struct ReadyNull: ReadyResult {
    func append(to json: inout [UInt8]) { json.append(contentsOf: "null".utf8) }
}

/// Large enough for every answer to the longest input.
private final class Pipe {
    let reading: CInt
    let writing: CInt

    init() throws {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw PlatformError("pipe") }
        (reading, writing) = (ends[0], ends[1])
        #if os(Linux)
        // F_SETPIPE_SZ, which Swift does not import.
        guard fcntl(writing, 1_031, 1 << 20) >= 0 else { throw PlatformError("fcntl") }
        #endif
    }

    func readToEnd() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(reading, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }

    func close() { _ = KMSPlatform.close(reading) }
}

// MARK: Tools

/// The arguments of a tool, in both eras.
private func checkTool(_ input: [UInt8]) throws {
    guard let arguments = try? JSONValue(parsing: input) else { return }
    let requests = [
        #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#,
        #"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"getPublicKey","arguments":ARGUMENTS}}"#,
        #"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":ARGUMENTS}"#,
    ]
    let text = requests.map { $0.replacing("ARGUMENTS", with: arguments.compacted.text) }.joined(separator: "\n")
    let answers = try checkConnection(Array(text.utf8))
    try require(answers.contains { $0["id"]?.integer == 1 && $0["result"] != nil }, "the session is open")
}
