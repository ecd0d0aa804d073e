import JSON

/// Where the members that matter lie in an answer's body, found in one pass that checks the text to its end.
struct ServiceDocumentMembers {
    private(set) var code: JSONToken?
    private(set) var msg: JSONToken?
    private(set) var message: JSONToken?
    private(set) var error: JSONToken?
    private(set) var errorCode: JSONToken?
    private(set) var errorMessage: JSONToken?
    private(set) var errorDetails: JSONToken?
    private(set) var publicKey: JSONToken?
    /// In one of the objects that matter: nobody can tell which of the two was meant (RFC 8259, section 4).
    private(set) var hasNameTwice = false

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
            error = try read(&scanner) { members, name, scanner throws(JSONError) in
                let value = try scanner.scanValue()
                if name.isString("errorCode", in: text) { members.errorCode = value }
                if name.isString("message", in: text) { members.errorMessage = value }
                if name.isString("details", in: text) { members.errorDetails = value }
            }
        } else {
            let value = try scanner.scanValue()
            if name.isString("code", in: text) { code = value }
            if name.isString("msg", in: text) { msg = value }
            if name.isString("message", in: text) { message = value }
        }
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
