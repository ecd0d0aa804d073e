/// What an emulator serves: access keys, tokens, keys and a role.
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
/// - Without `accessKeys` the seed has the access key of the demo seed; without `permissions` everything is permitted.
/// - `status` is `ENABLE` by default.
/// - `publicKey` is served unchanged, whatever text it is. `privateKey` is a PEM, whose public key is served.
///   `generate` makes a key when the seed is parsed: RSA with 2,048 bits or ECDSA on P-256, depending on `keyType`.
/// - `rawAnswer` replaces the answer to every request for the version or key that passes authentication and
///   permissions: `{"status": 200–599, "contentType"?, "headers"?: {"NAME": "VALUE"}, "body"? | "bodyBase64"?}`. Its
///   `headers` also replace the emulator's own, such as `Date`. A key's `rawAnswer` is sent whatever the request's body
///   is.
/// - `role` is the role of the metadata service, if there is one: it provides the access key with that id (default: the
///   first one), valid for `validSeconds` (default: 6 hours) after each answer. Without this member the role is
///   `demo-role`.
package struct Seed: Sendable, Equatable {
    package var accessKeys: [AccessKey]
    package var keys: [Key]
    package var tokens: [Token]
    package var role: Role

    /// - Parameter role: nil means the default role with the first access key.
    package init(
        accessKeys: [AccessKey] = [.demo], keys: [Key] = [], tokens: [Token] = [], role: Role? = nil
    ) {
        self.accessKeys = accessKeys
        self.keys = keys
        self.tokens = tokens
        self.role = role ?? Role(accessKeyID: accessKeys.first?.id ?? "")
    }

    /// An access key id and its secret, which sign requests.
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

    /// The permission to get the public key of one key, or of every key.
    package struct Permission: Sendable, Equatable {
        /// Nil: every key.
        package var keyTag: String?

        package init(keyTag: String? = nil) { self.keyTag = keyTag }
    }

    /// The service's key types.
    package enum KeyType: String, Sendable, CaseIterable {
        case aes256 = "AES256"
        case rsa2048 = "RSA2048"
        case ecdsa = "ECDSA"
    }

    /// The state of a key or of a version; raw values are the service's names.
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
        /// The text to serve; nil for keys without a public key.
        package var publicKey: String?
        package var rawAnswer: Answer?

        package init(_ number: Int, status: Status = .enabled, publicKey: String?, rawAnswer: Answer? = nil) {
            self.number = number
            self.status = status
            self.publicKey = publicKey
            self.rawAnswer = rawAnswer
        }
    }

    /// An access token, valid for one key.
    package struct Token: Sendable, Equatable {
        package var token: String
        package var keyTag: String
        /// When it expires, in milliseconds since 1970; nil: never.
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
        /// The id of the seed's access key that the role provides.
        package var accessKeyID: String
        /// How long the credentials are declared valid after each answer. They keep working after that.
        package var validSeconds: Int

        package init(id: String = defaultID, accessKeyID: String, validSeconds: Int = defaultValidSeconds) {
            self.id = id
            self.accessKeyID = accessKeyID
            self.validSeconds = validSeconds
        }
    }
}
