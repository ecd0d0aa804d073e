import KMSJSON
import KMSPlatform

extension Seed {
    /// Parses a seed in the form that `Seed` documents, and generates the keys that it requests.
    ///
    /// - Throws: `SeedError`, which names the member.
    package init(parsing text: [UInt8]) throws(SeedError) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: Array(text.droppingByteOrderMark()))
        } catch {
            throw SeedError("", "not valid JSON: \(error)")
        }

        let root = try SeedNode(path: "", value: value).object(names: ["accessKeys", "keys", "tokens", "role"])
        accessKeys = [.demo]
        if let node = root["accessKeys"] {
            accessKeys = try Self.map(node, AccessKey.init(node:))
            guard !accessKeys.isEmpty else { throw node.failure("must have at least one access key") }
            try Self.expectUnique(accessKeys.map(\.id), of: node, member: "id")
        }
        let keysNode = try root.required("keys")
        keys = try Self.map(keysNode, Key.init(node:))
        try Self.expectUnique(keys.map(\.keyTag), of: keysNode, member: "keyTag")
        tokens = []
        if let node = root["tokens"] {
            tokens = try Self.map(node, Token.init(node:))
            try Self.expectUnique(tokens.map(\.token), of: node, member: "token")
            for (index, token) in tokens.enumerated() where !keys.contains(where: { $0.keyTag == token.keyTag }) {
                throw SeedError("\(node.path)[\(index)].keyTag", "no key of the seed has the tag \"\(token.keyTag)\"")
            }
        }
        role = Role(accessKeyID: accessKeys[0].id)
        if let node = root["role"] { role = try Role(node: node, accessKeys: accessKeys) }
    }

    fileprivate static func map<Element>(
        _ node: SeedNode, _ parse: (SeedNode) throws(SeedError) -> Element
    ) throws(SeedError) -> [Element] {
        var elements: [Element] = []
        for element in try node.elements() { elements.append(try parse(element)) }
        return elements
    }

    fileprivate static func expectUnique<Value: Hashable>(
        _ values: [Value], of node: SeedNode, member: String
    ) throws(SeedError) {
        var seen: Set<Value> = []
        for (index, value) in values.enumerated() where !seen.insert(value).inserted {
            throw SeedError("\(node.path)[\(index)].\(member)", "\"\(value)\" occurs twice")
        }
    }
}

extension Seed.AccessKey {
    fileprivate init(node: SeedNode) throws(SeedError) {
        let object = try node.object(names: ["id", "secret", "permissions"])
        id = try object.required("id").nonEmptyString()
        secret = try object.required("secret").nonEmptyString()
        permissions = nil
        if let node = object["permissions"] { permissions = try Seed.map(node, Seed.Permission.init(node:)) }
    }
}

extension Seed.Permission {
    fileprivate init(node: SeedNode) throws(SeedError) {
        let operation = "get-pub-key"
        let text = try node.string()
        if text == operation {
            keyTag = nil
        } else if text.hasPrefix(operation + ":"), text.utf8.count > operation.utf8.count + 1 {
            keyTag = String(text.dropFirst(operation.count + 1))
        } else {
            throw node.failure("must be \"\(operation)\" or \"\(operation):TAG\"")
        }
    }
}

extension Seed.Token {
    fileprivate init(node: SeedNode) throws(SeedError) {
        let object = try node.object(names: ["token", "keyTag", "expiresAt"])
        token = try object.required("token").nonEmptyString()
        keyTag = try object.required("keyTag").nonEmptyString()
        expiresAtMilliseconds = nil
        // "UL" is the API's value for a token that does not expire.
        if let node = object["expiresAt"], node.value.string != "UL" {
            guard let milliseconds = node.value.integer, milliseconds >= 0 else {
                throw node.failure("must be milliseconds since 1970 or \"UL\"")
            }
            expiresAtMilliseconds = Int64(milliseconds)
        }
    }
}

extension Seed.Role {
    fileprivate init(node: SeedNode, accessKeys: [Seed.AccessKey]) throws(SeedError) {
        let object = try node.object(names: ["id", "accessKeyId", "validSeconds"])
        let idNode = try object.required("id")
        id = try idNode.nonEmptyString()
        guard id.utf8.allSatisfy(Self.isIDByte) else {
            throw idNode.failure("must consist of letters, digits and any of \(Self.idPunctuation)")
        }
        let accessKeyID = try object["accessKeyId"]?.string() ?? accessKeys[0].id
        self.accessKeyID = accessKeyID
        guard accessKeys.contains(where: { $0.id == accessKeyID }) else {
            throw SeedError("\(node.path).accessKeyId", "no access key of the seed has the id \"\(accessKeyID)\"")
        }
        // One year: longer than any real role's credentials.
        validSeconds = try object["validSeconds"]?.integer(in: 1...31_536_000) ?? Self.defaultValidSeconds
    }

    /// Allowed in a path without percent-encoding (RFC 3986, section 3.3), and used in names of roles.
    private static let idPunctuation = ".-_~+=,@:"

    private static func isIDByte(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || idPunctuation.utf8.contains(byte)
    }
}

extension Seed.Key {
    fileprivate init(node: SeedNode) throws(SeedError) {
        let object = try node.object(names: ["keyTag", "keyType", "status", "versions", "rawAnswer"])
        keyTag = try object.required("keyTag").nonEmptyString()
        let keyType = try object.required("keyType").oneOf(Seed.KeyType.self)
        self.keyType = keyType
        status = try object["status"]?.oneOf(Seed.Status.self) ?? .enabled
        versions = []
        if let node = object["versions"] {
            versions = try Seed.map(node) { element throws(SeedError) in
                try Seed.Version(node: element, keyType: keyType)
            }
            try Seed.expectUnique(versions.map(\.number), of: node, member: "version")
        }
        rawAnswer = nil
        if let node = object["rawAnswer"] { rawAnswer = try Answer(node: node) }
    }
}

extension Seed.Version {
    fileprivate init(node: SeedNode, keyType: Seed.KeyType) throws(SeedError) {
        let sources = ["publicKey", "privateKey", "generate"]
        let object = try node.object(names: Set(sources + ["version", "status", "rawAnswer"]))
        number = try object.required("version").integer(in: GetPublicKeyBody.versions)
        status = try object["status"]?.oneOf(Seed.Status.self) ?? .enabled
        rawAnswer = nil
        if let node = object["rawAnswer"] { rawAnswer = try Answer(node: node) }

        let given = sources.filter { object[$0] != nil }
        guard given.count <= 1 else { throw node.failure("give only one of \(given.joined(separator: ", "))") }
        if keyType == .aes256, let name = given.first {
            throw node.failure("an AES256 key has no public key, so it can't have \"\(name)\"")
        }
        publicKey = nil
        if let node = object["publicKey"] {
            publicKey = try node.string()
        } else if let node = object["privateKey"] {
            guard let pem = PrivateKey(pem: try node.string())?.publicPEM else {
                throw node.failure("must be a private key as PEM, without a passphrase")
            }
            publicKey = pem
        } else if let node = object["generate"] {
            guard node.value.bool == true else { throw node.failure("must be true") }
            guard let pem = Self.generatedKey(keyType) else {
                throw node.failure("OpenSSL could not make the key")
            }
            publicKey = pem
        } else if keyType != .aes256, rawAnswer == nil {
            throw node.failure("one of publicKey, privateKey, generate, rawAnswer is missing")
        }
    }

    /// The public key of a new key pair; nil if OpenSSL fails, and for AES.
    private static func generatedKey(_ type: Seed.KeyType) -> String? {
        switch type {
        case .rsa2048: PrivateKey.rsa2048()?.publicPEM
        case .ecdsa: PrivateKey.p256()?.publicPEM
        case .aes256: nil
        }
    }
}

extension Answer {
    fileprivate init(node: SeedNode) throws(SeedError) {
        let object = try node.object(names: ["status", "contentType", "headers", "body", "bodyBase64"])
        status = try object.required("status").integer(in: 200...599)
        contentType = try object["contentType"]?.string()
        headers = []
        if let node = object["headers"] {
            guard let members = node.value.members else { throw node.failure("must be an object") }
            for (name, value) in members {
                let node = SeedNode(path: "\(node.path).\(name)", value: value)
                let header = Header(name, try node.string())
                guard header.isWellFormed else {
                    throw node.failure("is not a valid header, or is one that the server sets itself")
                }
                headers.append(header)
            }
        }
        body = []
        if let node = object["body"] { body = Array(try node.string().utf8) }
        if let node = object["bodyBase64"] {
            guard object["body"] == nil else { throw node.failure("give only one of body, bodyBase64") }
            guard let bytes = Base64.decode(try node.string()) else { throw node.failure("must be Base64") }
            body = bytes
        }
    }
}
