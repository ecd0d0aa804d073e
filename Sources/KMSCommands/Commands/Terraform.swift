import KMSJSON
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

/// The protocol of Terraform's `external` data source: one JSON object of strings on stdin, one on stdout
/// (https://registry.terraform.io/providers/hashicorp/external/latest/docs/data-sources/external).
package enum Terraform {
    /// More than any query needs; longer input is refused.
    private static let maximumQueryBytes = 64 << 10

    private enum Name: String, CaseIterable {
        case keyTag = "key_tag"
        case keyVersion = "key_version"
    }

    /// Answers the query on stdin.
    ///
    /// - Throws: `CommandFailure`.
    package static func run(_ client: KMSClient) throws(CommandFailure) {
        let text: [UInt8]
        do {
            text = try FileContents.of(descriptor: STDIN_FILENO, maximumBytes: maximumQueryBytes)
        } catch let error where error.errorNumber == EFBIG {
            throw .usage("stdin is larger than \(maximumQueryBytes >> 10) KiB, which no query needs")
        } catch {
            throw .usage("stdin can't be read: \(error)")
        }
        let answer: PublicKeyAnswer
        do {
            answer = try client.waitForKeys([query(text)])[0].get()
        } catch {
            throw CommandFailure(of: error)
        }
        try AnswerTarget.stdout.write(result(answer))
    }

    /// Parses `{"key_tag": "…", "key_version": "…"}`. A version that is null or empty, which a Terraform expression can
    /// produce, counts as absent.
    ///
    /// - Throws: `InvalidValue`, which names the member.
    static func query(_ text: [UInt8]) throws(InvalidValue) -> PublicKeyQuery {
        let members = try members(of: text)
        guard let keyTag = try self.text(members[.keyTag], .keyTag) else {
            throw InvalidValue(Name.keyTag.rawValue, "is missing; stdin must name the key: {\"key_tag\": \"…\"}")
        }
        let version = try self.text(members[.keyVersion], .keyVersion)
        return PublicKeyQuery(
            keyTag: try read(.keyTag) { () throws(InvalidValue) in try KeyTag(keyTag) },
            version: try version.map { version throws(InvalidValue) in
                try read(.keyVersion) { () throws(InvalidValue) in try KeyReference.version(version) }
            })
    }

    /// The key as a flat object of strings, on one line. Members that the key does not have are left out.
    static func result(_ answer: PublicKeyAnswer) -> [UInt8] {
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

    private static func members(of text: [UInt8]) throws(InvalidValue) -> [Name: JSONValue] {
        let object: JSONValue
        do {
            object = try JSONValue(parsing: Array(text.droppingByteOrderMark()))
        } catch {
            throw InvalidValue("stdin", "must be one JSON object of strings, {\"key_tag\": \"…\"}: \(error)")
        }
        guard let members = object.members else {
            throw InvalidValue("stdin", "must be one JSON object of strings, {\"key_tag\": \"…\"}")
        }
        var known: [Name: JSONValue] = [:]
        for member in members {
            guard let name = Name(rawValue: member.name) else {
                let names = Name.allCases.map(\.rawValue).joined(separator: " and ")
                throw InvalidValue(member.name.excerpt, "is an unknown member; the members are \(names)")
            }
            guard known.updateValue(member.value, forKey: name) == nil else {
                throw InvalidValue(name.rawValue, "occurs twice")
            }
        }
        return known
    }

    private static func text(_ value: JSONValue?, _ name: Name) throws(InvalidValue) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let text = value.string else { throw InvalidValue(name.rawValue, "must be a string") }
        return text.isEmpty ? nil : text
    }

    private static func read<Value>(
        _ name: Name, _ body: () throws(InvalidValue) -> Value
    ) throws(InvalidValue) -> Value {
        do {
            return try body()
        } catch {
            throw InvalidValue(name.rawValue, error.problem)
        }
    }
}
