import KMSJSON
import KMSPlatform
import KMSTestSupport

/// Requests and answers as the tests write and read them.
enum Lines {
    /// - Parameters:
    ///   - id, params: JSON.
    static func request(_ id: some CustomStringConvertible, _ method: String, _ params: String? = nil) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"\#(params.map { ",\"params\":\($0)" } ?? "")}"#
    }

    static func getPublicKey(
        _ id: some CustomStringConvertible, _ keyTag: String = "demo-rsa", timeoutMilliseconds: Int? = nil
    ) -> String {
        let timeout = timeoutMilliseconds.map { #","timeoutMs":\#($0)"# } ?? ""
        return request(id, "getPublicKey", #"{"keyTag":"\#(keyTag)"\#(timeout)}"#)
    }

    /// - Parameter id: JSON.
    static func cancel(_ id: String) -> String {
        #"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":\#(id)}}"#
    }

    /// A request that is answered at once, with `-32601`: everything before it has been read by then.
    static func probe(_ id: some CustomStringConvertible) -> String { request(id, "noSuchMethod") }
}

/// One answer, taken apart.
struct WireAnswer: Equatable, CustomStringConvertible {
    /// As it was written.
    let id: String
    /// Nil for a result.
    let code: Int?
    let type: String?
    /// Nil for an error.
    let result: JSONText?
    let message: String?

    /// - Throws: `JSONError` or `Malformed` when it is not exactly one answer of JSON-RPC 2.0.
    init(_ line: String) throws {
        try self.init(JSONValue(parsing: line))
    }

    init(_ value: JSONValue) throws {
        let members = value.members ?? []
        guard value["jsonrpc"]?.string == "2.0", let id = value["id"], members.count == 3,
            members.map(\.name).prefix(2) == ["jsonrpc", "id"]
        else { throw Malformed(text: String(decoding: value.bytes, as: UTF8.self)) }
        self.id = String(decoding: id.bytes, as: UTF8.self)
        if let error = value["error"] {
            guard let code = error["code"]?.integer, let type = error["data"]?["type"]?.string,
                let message = error["message"]?.string, error["data"]?["retryable"]?.bool != nil
            else { throw Malformed(text: String(decoding: value.bytes, as: UTF8.self)) }
            (self.code, self.type, self.message, result) = (code, type, message, nil)
        } else if let result = value["result"] {
            (code, type, message, self.result) = (nil, nil, nil, JSONText(value: result))
        } else {
            throw Malformed(text: String(decoding: value.bytes, as: UTF8.self))
        }
    }

    /// The answers of lines that each hold one.
    static func all(_ lines: [String]) throws -> [WireAnswer] { try lines.map { try WireAnswer($0) } }

    /// The answers of a batch.
    static func batch(_ line: String) throws -> [WireAnswer] {
        guard let elements = try JSONValue(parsing: line).elements else { throw Malformed(text: line) }
        return try elements.map(WireAnswer.init)
    }

    var description: String { "\(id): \(code.map { "\($0) \(type ?? "")" } ?? "result")" }

    struct Malformed: Error {
        let text: String
    }
}

extension ServiceProcess {
    /// The next line, as the answer that it must be.
    func nextAnswer() async throws -> WireAnswer {
        guard let line = await nextLine() else { throw WireAnswer.Malformed(text: "the output is at its end") }
        return try WireAnswer(line)
    }

    /// Waits until there is something to read, where no lines are read here.
    func waitForOutput() async throws {
        let output = output
        try await onOwnThread {
            var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            while poll(&entry, 1, -1) < 0, errno == EINTR {}
        }
    }

    /// Sends a line, and gives the next answer.
    func ask(_ line: String) async throws -> WireAnswer {
        try send(line)
        return try await nextAnswer()
    }
}

/// A JSON value that is equal to one of the same spelling.
struct JSONText: Equatable {
    let value: JSONValue

    static func == (left: JSONText, right: JSONText) -> Bool { left.value.bytes == right.value.bytes }

    subscript(name: String) -> JSONValue? { value[name] }
}
