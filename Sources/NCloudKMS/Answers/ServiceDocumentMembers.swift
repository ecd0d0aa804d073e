import JSON

/// Where the members that matter lie in an answer's body, found in one pass that checks the text to its end.
struct ServiceDocumentMembers {
    private(set) var publicKey: JSONToken?
    /// What the answer itself says.
    private(set) var top = Words()
    /// What its member `error` says, and `responseError` of older gateways; nil where that is no object.
    private(set) var error: Words?
    /// The member `error` where it is a text.
    private(set) var errorText: JSONToken?
    /// In one of the objects that matter: nobody can tell which of the two was meant (RFC 8259, section 4).
    private(set) var hasNameTwice = false

    /// What one object says went wrong. A member of another type than it should have counts as absent.
    struct Words {
        /// A string or a number.
        private(set) var code: JSONToken?
        private(set) var message: JSONToken?
        private(set) var details: JSONToken?
        /// An array.
        private(set) var fieldErrors: JSONToken?

        fileprivate mutating func note(
            _ name: JSONToken, _ value: JSONToken, codeName: StaticString, messageNames: [StaticString],
            in text: UnsafeBufferPointer<UInt8>
        ) {
            switch value.kind {
            case .string:
                if name.isString(codeName, in: text) { code = value }
                if messageNames.contains(where: { name.isString($0, in: text) }) { message = message ?? value }
                if name.isString("details", in: text) || name.isString("detail", in: text) {
                    details = details ?? value
                }
            case .number where name.isString(codeName, in: text): code = value
            case .array where name.isString("fieldErrors", in: text): fieldErrors = value
            default: break
            }
        }
    }

    /// - Throws: what keeps the text from being JSON.
    init(_ text: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        var scanner = JSONScanner(text)
        _ = try read(&scanner) { members, name, scanner throws(JSONError) in
            try members.readTop(name, &scanner)
        }
        try scanner.expectEnd()
    }

    private mutating func readTop(_ name: JSONToken, _ scanner: inout JSONScanner) throws(JSONError) {
        let text = scanner.bytes
        if name.isString("data", in: text) {
            _ = try read(&scanner) { members, name, scanner throws(JSONError) in
                let value = try scanner.scanValue()
                if name.isString("publicKey", in: text) { members.publicKey = value }
            }
        } else if name.isString("error", in: text) {
            let value = try readError(&scanner, codeName: "errorCode", messageName: "message")
            if value.kind == .string { errorText = value }
        } else if name.isString("responseError", in: text) {
            _ = try readError(&scanner, codeName: "returnCode", messageName: "returnMessage")
        } else {
            let value = try scanner.scanValue()
            top.note(name, value, codeName: "code", messageNames: ["msg", "message"], in: text)
        }
    }

    private mutating func readError(
        _ scanner: inout JSONScanner, codeName: StaticString, messageName: StaticString
    ) throws(JSONError) -> JSONToken {
        let text = scanner.bytes
        var words = Words()
        let value = try read(&scanner) { _, name, scanner throws(JSONError) in
            let value = try scanner.scanValue()
            words.note(name, value, codeName: codeName, messageNames: [messageName], in: text)
        }
        if value.kind == .object { error = words }
        return value
    }

    /// Checks the value before the scanner. If it is an object, `member` is given each name and has to scan its value.
    private mutating func read(
        _ scanner: inout JSONScanner,
        _ member: (inout Self, _ name: JSONToken, inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) -> JSONToken {
        scanner.skipWhiteSpace()
        guard scanner.nextKind == .object else { return try scanner.scanValue() }
        let start = scanner.offset
        var names = JSONNameSet()
        try scanner.enter()
        while let name = try scanner.nextName() {
            if !names.insert(name, of: scanner.bytes) { hasNameTwice = true }
            try member(&self, name, &scanner)
        }
        return JSONToken.object(from: start, to: scanner.offset)
    }
}
