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
        let isPrivate = ([body] + texts.map { Array($0.utf8) }).contains(where: ServiceText.holdsPrivateKey)
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
