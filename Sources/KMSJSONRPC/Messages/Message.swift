import KMSJSON

/// One JSON-RPC 2.0 message, read but not copied: its tokens point into the bytes that it was read from.
enum Message {
    case request(Request)
    /// A request without an id, which is never answered.
    case notification(Request)
    /// A response, although no request was sent.
    case response
    /// An invalid message. It is answered with an error, which has the message's id if that is usable, otherwise null.
    case invalid(RPCError, id: JSONToken?)

    struct Request {
        /// A string, a number or null; nil in a notification.
        let id: JSONToken?
        /// A string.
        let method: JSONToken
        /// An object or an array; nil if absent or null.
        let params: JSONToken?
        /// The member `_meta` of the params, if that is an object: dialects recognise their messages by it.
        let meta: JSONToken?
    }
}

/// Reads the envelope of a message and checks the text, in one pass.
struct MessageReader {
    private var names = JSONNameSet()
    private var version: JSONToken?
    private var id: JSONToken?
    private var isIDUnique = true
    private var method: JSONToken?
    private var params: JSONToken?
    private var meta: JSONToken?
    private var isResponse = false
    private var problem: String?

    /// Reads the value at the scanner's position.
    ///
    /// - Throws: `JSONError` if the text is not JSON; anything else is a message, though it may be invalid.
    static func read(_ scanner: inout JSONScanner) throws(JSONError) -> Message {
        guard scanner.nextKind == .object else {
            _ = try scanner.scanValue()
            return .invalid(.invalidRequest("a request must be an object"), id: nil)
        }
        var reader = MessageReader()
        try scanner.enter()
        while let name = try scanner.nextName() {
            try reader.readMember(name, &scanner)
        }
        return reader.message(in: scanner.bytes)
    }

    private mutating func readMember(_ name: JSONToken, _ scanner: inout JSONScanner) throws(JSONError) {
        let bytes = scanner.bytes
        let isNew = names.insert(name, of: bytes)
        if !isNew { problem = problem ?? "a member occurs twice" }

        if name.isString("params", in: bytes) {
            params = try readParams(&scanner)
            return
        }
        let value = try scanner.scanValue()
        if name.isString("id", in: bytes) {
            isIDUnique = isNew
            id = value
        } else if name.isString("method", in: bytes) {
            method = value
        } else if name.isString("jsonrpc", in: bytes) {
            version = value
        } else if name.isString("result", in: bytes) || name.isString("error", in: bytes) {
            isResponse = true
        }
    }

    private mutating func readParams(_ scanner: inout JSONScanner) throws(JSONError) -> JSONToken {
        guard scanner.nextKind == .object else { return try scanner.scanValue() }
        var names = JSONNameSet()
        let start = scanner.offset
        try scanner.enter()
        while let name = try scanner.nextName() {
            if !names.insert(name, of: scanner.bytes) { problem = problem ?? "a member of params occurs twice" }
            let value = try scanner.scanValue()
            if name.isString("_meta", in: scanner.bytes), value.kind == .object { meta = value }
        }
        return JSONToken.object(from: start, to: scanner.offset)
    }

    private func message(in bytes: UnsafeBufferPointer<UInt8>) -> Message {
        // Checked first: if a response were answered with an error, two peers could answer each other forever.
        if isResponse, method == nil { return .response }

        let idIsValid = id.map { [.string, .number, .null].contains($0.kind) } ?? true
        let answerID = idIsValid && isIDUnique ? id : nil
        func invalid(_ reason: String) -> Message { .invalid(.invalidRequest(reason), id: answerID) }

        if let problem { return invalid(problem) }
        guard let version, version.isString("2.0", in: bytes) else { return invalid("jsonrpc must be \"2.0\"") }
        guard let method, method.kind == .string else { return invalid("method must be a string") }
        // Several client libraries write null for "no parameters".
        let given = params?.kind == .null ? nil : params
        if let given, given.kind != .object, given.kind != .array {
            return invalid("params must be an object or an array")
        }
        guard idIsValid else { return invalid("id must be a string, a number or null") }
        let request = Message.Request(id: id, method: method, params: given, meta: meta)
        return id == nil ? .notification(request) : .request(request)
    }
}
