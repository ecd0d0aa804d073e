import JSON
import Platform

/// The members of an answer's body that matter, whichever of the two shapes it has (01-kms-api.md, Errors):
/// `{"error": {"errorCode", "message"}}` from the gateway, `{"code", "msg" or "message", "data"}` from KMS.
struct ServiceDocument {
    static let success = "SUCCESS"

    /// As text, even where it was a number.
    private(set) var code: String?
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
            let hasMark = bytes.starts(with: Self.byteOrderMark)
            let text = hasMark ? UnsafeBufferPointer(rebasing: bytes[Self.byteOrderMark.count...]) : bytes
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
        func string(_ token: JSONToken?) -> String? {
            token.flatMap { $0.kind == .string ? $0.string(from: text) : nil }
        }
        isGatewayError = members.error?.kind == .object
        if isGatewayError {
            code = Self.code(members.errorCode, in: text)
            message = string(members.errorMessage) ?? string(members.errorDetails)
        } else {
            code = Self.code(members.code, in: text)
            message = string(members.msg) ?? string(members.message) ?? string(members.error)
            if let key = members.publicKey, key.kind == .string { publicKey = key.decoded(from: text) }
        }
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

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

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

    /// A body that is plain words is the service's message; HTML is made for browsers and binary for nobody.
    private static func plainText(_ body: UnsafeBufferPointer<UInt8>) -> String? {
        let body = body.trimmingWhitespace()
        guard let first = body.first, !"<{[".utf8.contains(first) else { return nil }
        return String(validating: body, as: UTF8.self)
    }
}
