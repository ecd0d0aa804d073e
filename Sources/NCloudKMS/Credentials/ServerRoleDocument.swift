import JSON

/// What the metadata service answers about a role.
struct ServerRoleDocument {
    /// Why an answer gives no key pair, as the end of a sentence. Never holds text out of a document with a secret.
    struct Problem: Error, Equatable {
        let text: String

        init(_ text: String) {
            self.text = text
        }
    }

    let accessKeyID: String
    let secretAccessKey: SecretBytes
    /// Milliseconds since 1970-01-01T00:00:00Z.
    let expiration: Int64

    /// - Throws: `Problem`; other clouds answer at the same address, and theirs is not NAVER's.
    init(_ body: [UInt8]) throws(Problem) {
        guard let document = try? JSONValue(parsing: body), document.kind == .object else {
            throw Problem("its answer is no JSON object")
        }
        if let token = document["Token"], !token.isNull {
            throw Problem("its keys come with a Token, so they are another cloud's")
        }
        if let code = document["Code"], !code.isNull, code.string != "Success" {
            let said = code.string.map { " \(ServiceText.capped($0))" } ?? ""
            throw Problem("it answered with Code\(said) in place of Success")
        }
        guard let accessKeyID = document["AccessKeyId"]?.string, let secret = document["SecretAccessKey"]?.string,
            let expiration = document["Expiration"]?.string
        else { throw Problem("its answer lacks AccessKeyId, SecretAccessKey or Expiration") }
        guard let expiration = ISO8601Date.milliseconds(of: expiration) else {
            throw Problem("the Expiration of its keys can't be read")
        }
        self.accessKeyID = accessKeyID
        secretAccessKey = SecretBytes(secret.utf8)
        self.expiration = expiration
    }

    /// The role's id: the first line of the answer that lists them.
    static func roleID(in body: [UInt8]) throws(Problem) -> String {
        let line = body.trimmingWhitespace().prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty, line.count <= maximumRoleIDLength, line.allSatisfy(isRoleByte) else {
            throw Problem("its answer names no role")
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// Longer than any cloud's, and short enough for a path and a message.
    private static let maximumRoleIDLength = 256

    /// What stands for itself in a path (RFC 3986, section 3.3) and occurs in names of roles.
    private static func isRoleByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: ".-_~+=,@:".utf8.contains(byte)
        }
    }
}
