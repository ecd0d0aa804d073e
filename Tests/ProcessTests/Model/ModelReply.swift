import KMSJSON

/// One message that the program wrote.
enum ModelReply {
    case single(ModelReplyMember)
    case batch([ModelReplyMember])
    /// A notification about a tool call.
    case progress(token: String, number: Int)

    init(parsing text: ArraySlice<UInt8>) throws(ModelViolation) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: Array(text))
        } catch {
            throw ModelViolation("not JSON: \(String(decoding: text.prefix(300), as: UTF8.self))")
        }
        guard value.bytes.count == text.count else { throw ModelViolation("white space around \(value.text)") }
        if let elements = value.elements {
            guard !elements.isEmpty else { throw ModelViolation("an empty batch") }
            var members: [ModelReplyMember] = []
            for element in elements { members.append(try ModelReplyMember(element)) }
            self = .batch(members)
        } else if value["method"]?.string == "notifications/progress" {
            guard let params = value["params"], let token = params["progressToken"], value["id"] == nil,
                let number = params["progress"]?.integer, params["total"]?.integer == 3,
                params["message"]?.string != nil
            else { throw ModelViolation("not a notification of progress: \(value.text)") }
            self = .progress(token: token.text, number: number)
        } else {
            self = .single(try ModelReplyMember(value))
        }
    }

    /// The messages of an output, and what is left of one that was cut off.
    ///
    /// - Throws: `ModelViolation` if anything else than messages in this form is in it.
    static func split(
        _ output: [UInt8], usesHeaders: Bool
    ) throws(ModelViolation) -> (messages: [ArraySlice<UInt8>], rest: ArraySlice<UInt8>) {
        var messages: [ArraySlice<UInt8>] = []
        var rest = output[...]
        while !rest.isEmpty {
            if usesHeaders {
                guard let message = try takeFramed(&rest) else { break }
                messages.append(message)
            } else {
                guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { break }
                messages.append(rest[..<end])
                rest = rest[(end + 1)...]
            }
        }
        return (messages, rest)
    }

    /// Takes a message with the one header that the contract promises; nil if only its beginning is there.
    private static func takeFramed(_ rest: inout ArraySlice<UInt8>) throws(ModelViolation) -> ArraySlice<UInt8>? {
        let name = Array("Content-Length: ".utf8)
        guard rest.prefix(name.count).elementsEqual(name.prefix(rest.count)) else {
            throw ModelViolation("not a header: \(String(decoding: rest.prefix(100), as: UTF8.self))")
        }
        let digits = rest.dropFirst(name.count).prefix { (0x30...0x39).contains($0) }
        let separator = rest[digits.endIndex...].prefix(4)
        guard separator.elementsEqual("\r\n\r\n".utf8) else {
            if separator.elementsEqual("\r\n\r\n".utf8.prefix(separator.count)), separator.endIndex == rest.endIndex {
                return nil
            }
            throw ModelViolation("not the end of a header: \(String(decoding: rest.prefix(100), as: UTF8.self))")
        }
        guard let count = Int(String(decoding: digits, as: UTF8.self)), count > 0 else {
            throw ModelViolation("not a length: \(String(decoding: rest.prefix(100), as: UTF8.self))")
        }
        guard rest.endIndex - separator.endIndex >= count else { return nil }
        let end = separator.endIndex + count
        defer { rest = rest[end...] }
        return rest[separator.endIndex..<end]
    }
}

/// An answer, alone or in a batch.
struct ModelReplyMember {
    /// As it was written.
    let id: String
    let outcome: ModelOutcome

    init(_ answer: JSONValue) throws(ModelViolation) {
        let names = answer.members?.map(\.name) ?? []
        guard names.count == 3, names.prefix(2) == ["jsonrpc", "id"], answer["jsonrpc"]?.string == "2.0",
            let id = answer["id"]
        else { throw ModelViolation("not an answer of JSON-RPC 2.0: \(answer.text.prefix(300))") }
        self.id = id.text
        outcome = try ModelOutcome(of: answer)
    }
}
