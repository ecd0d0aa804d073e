/// What an emulator knows when it starts: access keys, tokens and keys.
///
/// As JSON, for `--seed FILE` and `PUT /_emulator/seed`. A `?` marks an optional member; unknown members are errors:
///
/// ```
/// {
///   "accessKeys"?: [{"id", "secret", "permissions"?: ["get-pub-key", "get-pub-key:TAG"]}],
///   "keys": [{
///     "keyTag", "keyType": "AES256" | "RSA2048" | "ECDSA", "status"?: "ENABLE" | "DISABLE" | "REVOKE",
///     "versions"?: [{"version": 1–100, "status"?, "publicKey"? | "privateKey"? | "generate"?: true, "rawAnswer"?}],
///     "rawAnswer"?
///   }],
///   "tokens"?: [{"token", "keyTag", "expiresAt"?: milliseconds since 1970 | "UL"}],
///   "role"?: {"id", "accessKeyId"?, "validSeconds"?}
/// }
/// ```
///
/// - Without `accessKeys` there is the one of the demo seed; without `permissions` everything is permitted.
/// - `status` is `ENABLE` by default.
/// - `publicKey` is served as it is, whatever text it is. `privateKey` is a PEM, whose public half is served. `generate`
///   makes a key when the seed is read: RSA with 2048 bits or ECDSA on P-256, depending on `keyType`.
/// - `rawAnswer` replaces the answer to every request for the version or key that passes authentication and permissions:
///   `{"status": 200–599, "contentType"?, "headers"?: {"NAME": "VALUE"}, "body"? | "bodyBase64"?}`. Its `headers` also
///   replace the emulator's own, such as `Date`. That of a key is sent without a look at the request's body.
/// - `role` is what the metadata service hands out, if there is one: the access key with that id (default: the first one),
///   which may be used for `validSeconds` (default: 6 hours) after each answer. Without it the role is `demo-role`.
package struct Seed: Sendable, Equatable {
    package var accessKeys: [AccessKey]
    package var keys: [Key]
    package var tokens: [Token]
    package var role: Role

    /// - Parameter role: nil makes one of the first access key.
    package init(
        accessKeys: [AccessKey] = [.demo], keys: [Key] = [], tokens: [Token] = [], role: Role? = nil
    ) {
        self.accessKeys = accessKeys
        self.keys = keys
        self.tokens = tokens
        self.role = role ?? Role(accessKeyID: accessKeys.first?.id ?? "")
    }

    /// A key pair that signs requests.
    package struct AccessKey: Sendable, Equatable {
        package var id: String
        package var secret: String
        /// Nil: everything is permitted.
        package var permissions: [Permission]?

        package init(id: String, secret: String, permissions: [Permission]? = nil) {
            self.id = id
            self.secret = secret
            self.permissions = permissions
        }
    }

    /// The right to get public keys: of one key, or of every key.
    package struct Permission: Sendable, Equatable {
        /// Nil: every key.
        package var keyTag: String?

        package init(keyTag: String? = nil) { self.keyTag = keyTag }
    }

    /// The kinds of key that the service has.
    package enum KeyType: String, Sendable, CaseIterable {
        case aes256 = "AES256"
        case rsa2048 = "RSA2048"
        case ecdsa = "ECDSA"
    }

    /// The state of a key or of a version; raw values are the service's.
    package enum Status: String, Sendable, CaseIterable {
        case enabled = "ENABLE"
        case disabled = "DISABLE"
        case revoked = "REVOKE"
    }

    package struct Key: Sendable, Equatable {
        package var keyTag: String
        package var keyType: KeyType
        package var status: Status
        package var versions: [Version]
        package var rawAnswer: Answer?

        package init(
            keyTag: String, keyType: KeyType, status: Status = .enabled, versions: [Version] = [],
            rawAnswer: Answer? = nil
        ) {
            self.keyTag = keyTag
            self.keyType = keyType
            self.status = status
            self.versions = versions
            self.rawAnswer = rawAnswer
        }
    }

    package struct Version: Sendable, Equatable {
        /// 1–100.
        package var number: Int
        package var status: Status
        /// The text that is served; nil for keys without a public half.
        package var publicKey: String?
        package var rawAnswer: Answer?

        package init(_ number: Int, status: Status = .enabled, publicKey: String?, rawAnswer: Answer? = nil) {
            self.number = number
            self.status = status
            self.publicKey = publicKey
            self.rawAnswer = rawAnswer
        }
    }

    /// An access token, which is good for one key.
    package struct Token: Sendable, Equatable {
        package var token: String
        package var keyTag: String
        /// Milliseconds since 1970 from which it is refused; nil: it never expires.
        package var expiresAtMilliseconds: Int64?

        package init(token: String, keyTag: String, expiresAtMilliseconds: Int64? = nil) {
            self.token = token
            self.keyTag = keyTag
            self.expiresAtMilliseconds = expiresAtMilliseconds
        }
    }

    /// The role of the server that the clients run on.
    package struct Role: Sendable, Equatable {
        package static let defaultID = "demo-role"
        package static let defaultValidSeconds = 6 * 60 * 60

        package var id: String
        /// The id of the access key of the seed that it hands out.
        package var accessKeyID: String
        /// How long the key pair may be used after each answer. It keeps working after that.
        package var validSeconds: Int

        package init(id: String = defaultID, accessKeyID: String, validSeconds: Int = defaultValidSeconds) {
            self.id = id
            self.accessKeyID = accessKeyID
            self.validSeconds = validSeconds
        }
    }
}
