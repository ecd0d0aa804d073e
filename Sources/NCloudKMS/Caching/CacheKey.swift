/// What an answer depends on: whom was asked, with whose rights, and for what.
package struct CacheKey: Hashable, Sendable {
    package let endpoint: Endpoint
    package let identity: CredentialIdentity
    package let keyTag: KeyTag
    /// Nil for the latest.
    package let version: KeyVersion?

    package init(endpoint: Endpoint, identity: CredentialIdentity, keyTag: KeyTag, version: KeyVersion?) {
        self.endpoint = endpoint
        self.identity = identity
        self.keyTag = keyTag
        self.version = version
    }

    /// The tag and the version tell the keys of one client apart; the rest is all but constant, and takes as long to hash.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(keyTag)
        hasher.combine(version)
    }
}
