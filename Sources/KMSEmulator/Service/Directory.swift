/// A seed made ready for look-ups. Immutable: another seed is another directory.
struct Directory: Sendable {
    /// Finds the caller of a request.
    let authenticator: Authenticator
    private let keys: [String: KeyEntry]

    init(_ seed: Seed) {
        authenticator = Authenticator(accessKeys: seed.accessKeys, tokens: seed.tokens)
        keys = Dictionary(seed.keys.map { ($0.keyTag, KeyEntry($0)) }) { first, _ in first }
    }

    subscript(keyTag: String) -> KeyEntry? { keys[keyTag] }
}

/// One key, its answers written out in advance.
struct KeyEntry: Sendable {
    /// What answers every request for the key, if the seed says so.
    let rawAnswer: Answer?
    private let isServed: Bool
    private let newestVersion: Int?
    private let answers: [Int: Answer]
    private let rawAnswers: [Int: Answer]

    init(_ key: Seed.Key) {
        rawAnswer = key.rawAnswer
        isServed = key.status == .enabled && key.keyType != .aes256
        newestVersion = key.versions.map(\.number).max()
        rawAnswers = Dictionary(
            key.versions.compactMap { version in version.rawAnswer.map { (version.number, $0) } },
            uniquingKeysWith: { first, _ in first })
        answers = Dictionary(
            key.versions.map { version in (version.number, Self.answer(for: version)) },
            uniquingKeysWith: { first, _ in first })
    }

    private static func answer(for version: Seed.Version) -> Answer {
        guard version.status == .enabled, let publicKey = version.publicKey else {
            return Refusal.Service.unprocessableEntity.answer
        }
        return .success(publicKey: publicKey)
    }

    /// The answer for a version; nil stands for the most recent one, **whatever its state**: the reference says "absent
    /// = the most recent version; a disabled version can't be retrieved", so when the newest is disabled, a request
    /// without a version is refused and does not fall back to an older one.
    func answer(version: Int?) -> Answer {
        guard let number = version ?? newestVersion else { return Refusal.Service.unprocessableEntity.answer }
        // Whatever the key's type and state are.
        if let rawAnswer = rawAnswers[number] { return rawAnswer }
        guard isServed, let answer = answers[number] else { return Refusal.Service.unprocessableEntity.answer }
        return answer
    }
}
