import JSON
import Platform

/// The members of an answer's body that matter, whichever shape it has:
///
/// - `{"code", "msg" or "message", "data"}` from KMS,
/// - `{"error": {"errorCode", "message", "details" or "detail", "fieldErrors": [{"field", "message"}]}}` from the gateway
///   and from the services that follow NAVER's standard of 2026,
/// - `{"responseError": {"returnCode", "returnMessage"}}` from older gateways.
struct ServiceDocument {
    static let success = "SUCCESS"

    /// As text, even where it was a number.
    private(set) var code: String?
    /// Everything that the user needs to know, joined by "; ": the message, the details, then each field's message.
    private(set) var message: String?
    private(set) var publicKey: [UInt8]?
    private(set) var isGatewayError = false
    /// What a 200 without a public key lacks, as the end of a sentence.
    private(set) var flaw = "it holds no public key"
    private let body: [UInt8]
    private let sent: SentCredentials

    /// - Parameter sent: what the request was authenticated with, which no text may repeat.
    init(_ body: [UInt8], to sent: SentCredentials) {
        self.body = body
        self.sent = sent
        body.withUnsafeBufferPointer { bytes in
            let text = UnsafeBufferPointer(rebasing: bytes.droppingByteOrderMark())
            do throws(JSONError) {
                read(try ServiceDocumentMembers(text), of: text)
            } catch {
                message = Self.plainText(text)
                flaw = "it is no JSON"
            }
        }
    }

    private mutating func read(_ members: ServiceDocumentMembers, of text: UnsafeBufferPointer<UInt8>) {
        guard !members.hasNameTwice else {
            flaw = "it has a member twice"
            return
        }
        isGatewayError = members.error != nil
        let words = members.error ?? members.top
        code = Self.code(words.code, in: text)
        message = Self.message(words, members.errorText, in: text)
        if !isGatewayError, let key = members.publicKey, key.kind == .string { publicKey = key.decoded(from: text) }
    }

    func failure(_ verdict: ServiceAnswer.Verdict, status: Int, detail: String? = nil) -> ServiceFailure {
        let texts = [code, message].compactMap(\.self)
        // The texts as well: in the body they may be written with escapes.
        let isPrivate = ServiceText.holdsPrivateKey(body) || texts.contains { ServiceText.holdsPrivateKey($0.utf8) }
        func shown(_ text: String?) -> String? {
            text.flatMap { isPrivate || sent.areRepeated(in: $0) ? nil : ServiceText.capped($0) }
        }
        let shownCode = shown(code)
        let shownMessage = shown(message)
        return ServiceFailure(
            code: verdict.code, repetition: verdict.repetition, httpStatus: status, kmsCode: shownCode,
            kmsMessage: shownMessage,
            isTextWithheld: isPrivate || [shownCode, shownMessage].compactMap(\.self).count < texts.count,
            detail: detail)
    }

    private static func code(_ token: JSONToken?, in text: UnsafeBufferPointer<UInt8>) -> String? {
        switch token?.kind {
        case .string: return token?.string(from: text)
        case .number:
            // `210`, `210.0` and `2.1e2` are one number, and one code.
            let value = token.map { JSONValue(copying: $0, from: text) }
            return value?.integer.map { String($0) } ?? value.map { String(decoding: $0.bytes, as: UTF8.self) }
        default: return nil
        }
    }

    private static func message(
        _ words: ServiceDocumentMembers.Words, _ errorText: JSONToken?, in text: UnsafeBufferPointer<UInt8>
    ) -> String? {
        var parts = [words.message ?? errorText, words.details].compactMap { $0?.string(from: text) }
        if let token = words.fieldErrors {
            for error in IteratorSequence(JSONValue(copying: token, from: text).elementIterator) {
                guard let message = error["message"]?.string else { continue }
                parts.append(error["field"]?.string.map { "\($0): \(message)" } ?? message)
            }
        }
        // The details often repeat the message.
        var seen: Set<String> = []
        parts = parts.filter { !$0.isEmpty && seen.insert($0).inserted }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    /// A body that is plain words is the service's message; HTML is made for browsers and binary for nobody.
    private static func plainText(_ body: UnsafeBufferPointer<UInt8>) -> String? {
        let body = body.trimmingWhitespace()
        guard let first = body.first, !"<{[".utf8.contains(first) else { return nil }
        return String(validating: body, as: UTF8.self)
    }
}

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

/// Text that the service chose: cut so that an answer of ours stays small, and not repeated at all when it holds a secret.
package enum ServiceText {
    /// Twice the longest message that the references show, with room for a key tag in it.
    package static let maximumBytes = 1_024

    /// The first characters of `text` that fit into `maximumBytes` of UTF-8; no character is cut.
    package static func capped(_ text: String) -> String {
        text.prefix(utf8Bytes: maximumBytes)
    }

    static func holdsPrivateKey(_ text: some Collection<UInt8>) -> Bool {
        text.holds("PRIVATE KEY".utf8)
    }
}
