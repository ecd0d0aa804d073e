import KMSJSON
import KMSPlatform
import KMSPublicKeys

/// A fetched key as JSON: the result of `getPublicKey`.
package struct RenderedKey: Sendable {
    package let bytes: [UInt8]
    /// The range of the age in the bytes, which is all that differs between answers of one fetch.
    private let age: Range<Int>

    /// More than a key of 2,048 bits without other formats needs.
    private static let usualBytes = 1_024

    /// Writes the members in the order of the table in protocol/README.md.
    ///
    /// - Throws: `InvalidValue` named `formats` if the key has no such form.
    package init(_ answer: PublicKeyAnswer, formats: [KeyFormat]) throws(InvalidValue) {
        let key = answer.key
        var encodings: [(name: String, json: [UInt8])] = []
        for format in formats { encodings += try format.members(of: key, keyTag: answer.keyTag.text) }
        var json = JSONWriter(capacity: Self.usualBytes)
        var age = 0..<0
        json.object { result in
            result.member("keyTag", answer.keyTag.text)
            result.member("keyVersion", answer.version?.number)
            result.member("publicKey") { $0.raw(key.pemJSON) }
            result.member("keyType", key.keyType.rawValue)
            result.member("keySize", key.keySize)
            if let curve = key.curve { result.member("curve", curve.rawValue) }
            result.member("spkiSha256", key.spkiSHA256)
            for encoding in encodings { result.member(named: encoding.name) { $0.raw(encoding.json) } }
            result.member("source", answer.source.rawValue)
            result.member("ageMs") { number in
                let start = number.bytes.count
                number.value(Int(answer.age.milliseconds))
                age = start..<number.bytes.count
            }
            result.member("attempts", answer.attempts)
            if let requestID = answer.requestID { result.member("requestId", requestID) }
        }
        bytes = json.bytes
        self.age = age
    }

    /// Appends the same result with another age.
    package func append(to json: inout [UInt8], age: Duration) {
        json.append(contentsOf: bytes[..<self.age.lowerBound])
        json.append(decimal: Int(age.milliseconds))
        json.append(contentsOf: bytes[self.age.upperBound...])
    }
}

/// An encoding of a key that a client can request in addition to the service's own PEM.
package enum KeyFormat: String, CaseIterable, Sendable {
    case spki, pkcs1, der, jwk, ssh

    /// The formats by name, without duplicates, in the order of the enumeration.
    ///
    /// - Throws: `InvalidValue` named `formats`.
    package static func formats(named names: [String]) throws(InvalidValue) -> [KeyFormat] {
        var wanted: Set<KeyFormat> = []
        for name in names {
            guard let format = KeyFormat(rawValue: name) else {
                let known = allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
                throw InvalidValue("formats", "must contain only \(known)")
            }
            wanted.insert(format)
        }
        return allCases.filter(wanted.contains)
    }

    /// The members that the format adds to a result, each with its JSON.
    ///
    /// - Parameter keyTag: the comment of the OpenSSH line.
    /// - Throws: `InvalidValue` named `formats` if the key has no such form.
    func members(of key: PublicKey, keyTag: String) throws(InvalidValue) -> [(name: String, json: [UInt8])] {
        switch self {
        case .spki:
            return [("spki", Self.json(key.spkiPEM))]
        case .der:
            return [("der", Self.json(key.derBase64))]
        case .pkcs1: return [("pkcs1", Self.json(try Self.pkcs1PEM(of: key)))]
        case .jwk: return [("jwk", Self.jwk(of: key))]
        case .ssh:
            let line = try Self.sshLine(of: key, keyTag: keyTag)
            return [("ssh", Self.json(line)), ("sshFingerprint", Self.json(key.sshFingerprint ?? ""))]
        }
    }

    // MARK: The forms that not every key has, and the JSON form

    private static func pkcs1PEM(of key: PublicKey) throws(InvalidValue) -> String {
        guard let pem = key.pkcs1PEM else {
            throw InvalidValue("formats", "contains \"pkcs1\", which only RSA keys have, but this is an EC key")
        }
        return pem
    }

    private static func sshLine(of key: PublicKey, keyTag: String) throws(InvalidValue) -> String {
        guard let line = key.sshLine(comment: keyTag) else {
            throw InvalidValue("formats", "contains \"ssh\", but SSH has no secp256k1 keys")
        }
        return line
    }

    private static func jwk(of key: PublicKey) -> [UInt8] {
        var json = JSONWriter()
        key.writeJWK(to: &json)
        return json.bytes
    }

    private static func json(_ text: String) -> [UInt8] {
        var json = JSONWriter()
        json.value(text)
        return json.bytes
    }
}
