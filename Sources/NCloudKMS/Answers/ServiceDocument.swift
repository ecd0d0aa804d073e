import JSON
import Platform

/// The members of an answer's body that matter, whichever of the two shapes it has (01-kms-api.md, Errors):
/// `{"error": {"errorCode", "message"}}` from the gateway, `{"code", "msg" or "message", "data"}` from KMS.
struct ServiceDocument {
    static let success = "SUCCESS"

    /// As text, even where it was a number.
    private(set) var code: String?
    private(set) var message: String?
    private(set) var publicKey: String?
    private(set) var isGatewayError = false
    /// What a 200 without a public key lacks, as the end of a sentence.
    private(set) var flaw = "it holds no public key"
    private let holdsPrivateKey: Bool

    init(_ body: [UInt8]) {
        holdsPrivateKey = ServiceText.holdsPrivateKey(body)
        let text = body.starts(with: Self.byteOrderMark) ? Array(body.dropFirst(Self.byteOrderMark.count)) : body
        guard let document = try? JSONValue(parsing: text) else {
            message = Self.plainText(text)
            flaw = "it is no JSON"
            return
        }
        // Nobody can tell which of the two was meant (RFC 8259, section 4).
        guard [document, document["error"], document["data"]].allSatisfy({ $0?.duplicateName == nil }) else {
            flaw = "it has a member twice"
            return
        }
        if let error = document["error"], error.kind == .object {
            isGatewayError = true
            code = Self.code(error["errorCode"])
            message = error["message"]?.string ?? error["details"]?.string
        } else {
            code = Self.code(document["code"])
            message = document["msg"]?.string ?? document["message"]?.string ?? document["error"]?.string
            publicKey = document["data"]?["publicKey"]?.string
        }
    }

    func failure(_ verdict: ServiceAnswer.Verdict, status: Int, detail: String? = nil) -> ServiceFailure {
        let texts = [code, message].compactMap(\.self)
        let isPrivate = holdsPrivateKey || texts.contains { ServiceText.holdsPrivateKey($0.utf8) }
        func shown(_ text: String?) -> String? {
            text.flatMap { isPrivate || ServiceText.holdsCredentials($0) ? nil : ServiceText.capped($0) }
        }
        return ServiceFailure(
            code: verdict.code, repetition: verdict.repetition, httpStatus: status, kmsCode: shown(code),
            kmsMessage: shown(message),
            isTextWithheld: isPrivate || texts.contains(where: ServiceText.holdsCredentials),
            detail: detail)
    }

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private static func code(_ value: JSONValue?) -> String? {
        guard let value else { return nil }
        if let text = value.string { return text }
        // `210`, `210.0` and `2.1e2` are one number, and one code.
        guard value.kind == .number else { return nil }
        return value.integer.map { String($0) } ?? String(decoding: value.bytes, as: UTF8.self)
    }

    /// A body that is plain words is the service's message; HTML is made for browsers and binary for nobody.
    private static func plainText(_ body: [UInt8]) -> String? {
        let body = body.trimmingWhitespace()
        guard let first = body.first, !"<{[".utf8.contains(first) else { return nil }
        return String(validating: body, as: UTF8.self)
    }
}
