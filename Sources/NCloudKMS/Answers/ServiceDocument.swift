import KMSJSON
import KMSPlatform

/// The relevant members of an answer's body, in any of these shapes:
///
/// - `{"code", "msg" or "message", "data"}` from KMS,
/// - `{"error": {"errorCode", "message", "details" or "detail", "fieldErrors": [{"field", "message"}]}}` from the gateway
///   and from the services that follow NAVER's standard of 2026,
/// - `{"responseError": {"returnCode", "returnMessage"}}` from older gateways.
///
/// One pass checks the whole text and records where the members are; they are decoded on demand. The document borrows
/// the body and must not outlive its bytes.
struct ServiceDocument: ~Copyable {
    static let success = "SUCCESS"

    private let text: UnsafeBufferPointer<UInt8>
    private var keyToken: JSONToken?
    /// The code, message and details at the top level.
    private var top = Words()
    /// The same in the member `error`, or in `responseError` of older gateways; nil if that is not an object.
    private var error: Words?
    /// The member `error`, if it is a string.
    private var errorText: JSONToken?
    /// Whether one of the relevant objects has a duplicate name: then nobody can tell which of the two is meant (RFC
    /// 8259, section 4).
    private var hasNameTwice = false
    private var isJSON = true

    init(_ body: UnsafeBufferPointer<UInt8>) {
        text = UnsafeBufferPointer(rebasing: body.droppingByteOrderMark())
        do throws(JSONError) {
            var scanner = JSONScanner(text)
            _ = try read(&scanner) { document, name, scanner throws(JSONError) in
                try document.readTop(name, &scanner)
            }
            try scanner.expectEnd()
        } catch {
            isJSON = false
        }
        if isJSON, !hasNameTwice { return }
        // Nothing in it is used.
        (keyToken, top, error, errorText) = (nil, Words(), nil, nil)
    }

    // MARK: What it says

    var isGatewayError: Bool { error != nil }

    /// The public key, a string, if the answer is a success.
    var publicKey: JSONValue? {
        guard !isGatewayError, let code = top.code, code.isString("SUCCESS", in: text) else { return nil }
        return keyToken.map { JSONValue(copying: $0, from: text) }
    }

    /// As text, even if it is a number.
    var code: String? {
        guard let token = (error ?? top).code else { return nil }
        guard token.kind == .number else { return token.string(from: text) }
        // `210`, `210.0` and `2.1e2` are the same number, and the same code.
        let value = JSONValue(copying: token, from: text)
        return value.integer.map { String($0) } ?? String(decoding: value.bytes, as: UTF8.self)
    }

    /// Everything that the user needs to know, joined by "; ": the message, the details, then each field's message.
    var message: String? {
        guard isJSON else { return plainText }
        let words = error ?? top
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

    /// A plain text body is the service's message; HTML and binary bodies are not.
    private var plainText: String? {
        let words = text.trimmingWhitespace()
        guard let first = words.first, !"<{[".utf8.contains(first) else { return nil }
        return String(validating: words, as: UTF8.self)
    }

    /// What is wrong with a 200 without a public key, as the end of a sentence.
    var flaw: String {
        isJSON ? hasNameTwice ? "it has a duplicate member" : "it contains no public key" : "it is not JSON"
    }

    // MARK: Reading

    /// What one object reports. A member with an unexpected type counts as absent.
    private struct Words {
        /// A string or a number.
        private(set) var code: JSONToken?
        private(set) var message: JSONToken?
        private(set) var details: JSONToken?
        /// An array.
        private(set) var fieldErrors: JSONToken?

        mutating func note(
            _ name: JSONToken, _ value: JSONToken, _ names: Names, in text: UnsafeBufferPointer<UInt8>
        ) {
            switch value.kind {
            case .string:
                if name.isString(names.code, in: text) {
                    code = value
                } else if name.isString(names.message, in: text) || name.isString(names.alsoMessage, in: text) {
                    message = message ?? value
                } else if name.isString("details", in: text) || name.isString("detail", in: text) {
                    details = details ?? value
                }
            case .number where name.isString(names.code, in: text): code = value
            case .array where name.isString("fieldErrors", in: text): fieldErrors = value
            default: break
            }
        }
    }

    /// The names of code and message in one of the shapes.
    private struct Names {
        let code: StaticString
        let message: StaticString
        let alsoMessage: StaticString

        static var top: Names { Names(code: "code", message: "msg", alsoMessage: "message") }
        static var error: Names { Names(code: "errorCode", message: "message", alsoMessage: "message") }
        static var responseError: Names {
            Names(code: "returnCode", message: "returnMessage", alsoMessage: "returnMessage")
        }
    }

    private mutating func readTop(_ name: JSONToken, _ scanner: inout JSONScanner) throws(JSONError) {
        if name.isString("data", in: text) {
            _ = try read(&scanner) { document, name, scanner throws(JSONError) in
                let value = try scanner.scanValue()
                if value.kind == .string, name.isString("publicKey", in: document.text) { document.keyToken = value }
            }
        } else if name.isString("error", in: text) {
            let value = try readError(&scanner, .error)
            if value.kind == .string { errorText = value }
        } else if name.isString("responseError", in: text) {
            _ = try readError(&scanner, .responseError)
        } else {
            top.note(name, try scanner.scanValue(), .top, in: text)
        }
    }

    private mutating func readError(_ scanner: inout JSONScanner, _ names: Names) throws(JSONError) -> JSONToken {
        var words = Words()
        let value = try read(&scanner) { document, name, scanner throws(JSONError) in
            words.note(name, try scanner.scanValue(), names, in: document.text)
        }
        if value.kind == .object { error = words }
        return value
    }

    /// Checks the value at the scanner's position. If it is an object, `member` receives each name and must scan its
    /// value.
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
            if !names.insert(name, of: text) { hasNameTwice = true }
            try member(&self, name, &scanner)
        }
        return JSONToken.object(from: start, to: scanner.offset)
    }
}
