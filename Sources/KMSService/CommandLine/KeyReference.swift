import NCloudKMS

/// What names a key on a command line: `KEYTAG`, or `KEYTAG@VERSION`. No key's tag holds an `@`.
package struct KeyReference: Equatable, Sendable {
    package let keyTag: KeyTag
    /// Nil is the latest.
    package let version: KeyVersion?

    package init(_ keyTag: KeyTag, version: KeyVersion? = nil) {
        self.keyTag = keyTag
        self.version = version
    }

    /// - Throws: `InvalidValue` named `keyTag` or `keyVersion`.
    package init(_ text: String) throws(InvalidValue) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        keyTag = try KeyTag(String(parts[0]))
        version = parts.count == 2 ? try Self.version(String(parts[1])) : nil
    }

    /// - Throws: `InvalidValue` named `keyVersion`.
    package static func version(_ text: String) throws(InvalidValue) -> KeyVersion {
        guard let number = Int(text) else {
            throw InvalidValue(
                "keyVersion",
                "must be a whole number from \(KeyVersion.range.lowerBound) to \(KeyVersion.range.upperBound)")
        }
        return try KeyVersion(number)
    }

    /// The query for the key.
    ///
    /// - Parameter general: the version that `--key-version` names for all keys.
    /// - Throws: `CommandFailure` when the two name different versions.
    package func query(version general: KeyVersion?) throws(CommandFailure) -> PublicKeyQuery {
        if let version, let general, version != general {
            throw .usage("\(keyTag)@\(version) and --key-version \(general) contradict each other: leave one out")
        }
        return PublicKeyQuery(keyTag: keyTag, version: version ?? general)
    }
}
