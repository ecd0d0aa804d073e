import JSON
import JSONRPC
import NCloudKMS
import Platform
import PublicKeys

/// The two ends of Terraform's `external` data source: one JSON object of strings on stdin, one on stdout
/// (https://registry.terraform.io/providers/hashicorp/external/latest/docs/data-sources/external).
package enum Terraform {
    /// More than a query can need; what is longer is not one.
    package static let maximumQueryBytes = 64 << 10

    private enum Name: String, CaseIterable {
        case keyTag = "key_tag"
        case keyVersion = "key_version"
    }

    /// Reads `{"key_tag": "…", "key_version": "…"}`. A version that is null or empty, as an expression of Terraform may
    /// leave it, is no version.
    ///
    /// - Throws: `-32602`, which names the member.
    package static func query(_ text: [UInt8]) throws(RPCError) -> PublicKeyQuery {
        let members = try members(of: text)
        guard let keyTag = try self.text(members[.keyTag], .keyTag) else {
            throw .invalidParams(Name.keyTag.rawValue, "is missing: stdin must name the key, {\"key_tag\": \"…\"}")
        }
        let version = try self.text(members[.keyVersion], .keyVersion)
        return PublicKeyQuery(
            keyTag: try read(.keyTag) { () throws(InvalidValue) in try KeyTag(keyTag) },
            version: try version.map { version throws(RPCError) in
                try read(.keyVersion) { () throws(InvalidValue) in try KeyReference.version(version) }
            })
    }

    /// The key as a flat object of strings, on one line. What a key does not have is left out.
    package static func result(_ answer: PublicKeyAnswer) -> [UInt8] {
        let key = answer.key
        var jwk = JSONWriter()
        key.writeJWK(to: &jwk)
        let members: [(name: String, value: String?)] = [
            (Name.keyTag.rawValue, answer.keyTag.text),
            (Name.keyVersion.rawValue, answer.version.map { String($0.number) }),
            ("public_key", String(decoding: key.pem, as: UTF8.self)),
            ("spki", key.spkiPEM),
            ("spki_sha256", key.spkiSHA256),
            ("key_type", key.keyType.rawValue),
            ("key_size", String(key.keySize)),
            ("curve", key.curve?.rawValue),
            ("jwk", String(decoding: jwk.bytes, as: UTF8.self)),
            ("ssh", key.sshLine(comment: answer.keyTag.text)),
            ("ssh_fingerprint", key.sshFingerprint),
        ]
        var json = JSONWriter()
        json.object { object in
            for member in members {
                if let value = member.value { object.member(named: member.name, value) }
            }
        }
        return json.bytes + [UInt8(ascii: "\n")]
    }

    // MARK: Reading

    private static func members(of text: [UInt8]) throws(RPCError) -> [Name: JSONValue] {
        let object: JSONValue
        do {
            object = try JSONValue(parsing: Array(text.droppingByteOrderMark()))
        } catch {
            throw .invalidParams("stdin", "must be one JSON object of strings, {\"key_tag\": \"…\"}: \(error)")
        }
        guard let members = object.members else {
            throw .invalidParams("stdin", "must be one JSON object of strings, {\"key_tag\": \"…\"}")
        }
        var known: [Name: JSONValue] = [:]
        for member in members {
            guard let name = Name(rawValue: member.name) else {
                let names = Name.allCases.map(\.rawValue).joined(separator: " and ")
                throw .invalidParams(member.name.excerpt, "is not known; there are \(names)")
            }
            guard known.updateValue(member.value, forKey: name) == nil else {
                throw .invalidParams(name.rawValue, "must not be there twice")
            }
        }
        return known
    }

    private static func text(_ value: JSONValue?, _ name: Name) throws(RPCError) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let text = value.string else { throw .invalidParams(name.rawValue, "must be a string") }
        return text.isEmpty ? nil : text
    }

    private static func read<Value>(
        _ name: Name, _ body: () throws(InvalidValue) -> Value
    ) throws(RPCError) -> Value {
        do {
            return try body()
        } catch {
            throw .invalidParams(name.rawValue, error.problem)
        }
    }
}
