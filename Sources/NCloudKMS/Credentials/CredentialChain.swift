import KMSPlatform

/// The places of credentials, one after the other: token, environment, profile file, server role. The first that has
/// all it needs wins; half a pair in one place is an error.
///
/// What was found is kept. A token file is read again when it changes, and every file when the service refused what was in
/// it. As long as nothing is found, every call looks again.
struct CredentialChain: Sendable {
    enum Step: Sendable {
        /// Use these; if there is a request, send it beside, and bring the answer to `serverRole`.
        case ready(Credentials, refresh: MetadataRequest?)
        /// Send this, bring the answer to `serverRole`, and let the callers wait.
        case ask(MetadataRequest)
        /// A question is under way: wait for its answer.
        case wait
        case unavailable(KMSError)
    }

    private enum Place {
        case tokenFile(String)
        case tokenVariable
        case keyPairVariables
        case profileFile
    }

    private struct Loaded {
        /// Nil when the application handed them over.
        let place: Place?
        var credentials: Credentials
        let file: ReadFile?
    }

    /// The file that credentials came from, as it was then.
    private struct ReadFile {
        let path: String
        let stamp: FileStamp
        let isNeedlesslyReadable: Bool

        var hasChanged: Bool { FileStamp(ofFile: path) != stamp }

        init(_ file: SecretFile, at path: String) {
            self.path = path
            stamp = file.stamp
            isNeedlesslyReadable = file.isNeedlesslyReadable
        }
    }

    private let lookup: CredentialLookup
    /// Found once: the password database may ask a directory service.
    private var profilePath: String?
    private var loaded: Loaded?

    /// The last place; nil where the environment names a metadata service that can't be used.
    var serverRole: ServerRole?
    private let serverRoleProblem: String

    /// Why a token file that changed could not be read again, for the log; its old token still serves.
    private(set) var tokenFileProblem: String?

    /// The file of the credentials in use, if users other than its owner may read it and its mode can be changed: a
    /// warning of the log.
    var fileReadableByOthers: String? {
        loaded?.file.flatMap { $0.isNeedlesslyReadable ? $0.path : nil }
    }

    init(_ lookup: CredentialLookup) {
        self.lookup = lookup
        do {
            serverRole = try ServerRole(lookup.environment)
            serverRoleProblem = ""
        } catch {
            serverRoleProblem = "server role (\(error))"
        }
    }

    /// No chain at all: the application handed credentials over.
    init(_ credentials: Credentials) {
        lookup = CredentialLookup(environment: EnvironmentVariables([:]))
        loaded = Loaded(place: nil, credentials: credentials, file: nil)
        serverRoleProblem = ""
    }

    /// What is in use, or was last.
    func credentials(now: Instant) -> Credentials? {
        loaded?.credentials ?? serverRole?.credentials(now: now)
    }

    /// What to do for a call that goes to the service.
    mutating func next(now: Instant) -> Step {
        if loaded != nil {
            readChangedTokenFile()
        } else if serverRole?.credentials(now: now) == nil {
            // All other places were searched when the question was asked.
            if serverRole?.isAsking ?? false { return .wait }
            var looked: [String] = []
            do {
                try search(&looked)
            } catch {
                return .unavailable(error)
            }
            if loaded == nil { return askServerRole(now: now, looked: looked) }
        }
        if let loaded { return .ready(loaded.credentials, refresh: nil) }
        return askServerRole(now: now, looked: [])
    }

    /// After the service refused credentials (1002): others to repeat the call with, once.
    ///
    /// - Parameter refused: which ones.
    /// - Returns: nil when there are no others.
    /// - Throws: `KMSError` when the file can't be used any more; the old ones stay.
    mutating func replacement(
        for refused: CredentialIdentity, now: Instant
    ) throws(KMSError) -> Credentials? {
        guard let current = credentials(now: now) else { return nil }
        if current.identity != refused { return current }
        // The file is read whether or not it looks changed: a refusal says more than the file's times do.
        guard let loaded, let place = loaded.place, loaded.file != nil else { return nil }
        guard try load(place) == nil, let credentials = self.loaded?.credentials else { return nil }
        return credentials.identity == refused ? nil : credentials
    }

    // MARK: The places

    private mutating func search(_ looked: inout [String]) throws(KMSError) {
        var places: [Place] = [.tokenVariable]
        // A flag beats a variable.
        if let file = lookup.namedTokenFile {
            places.insert(.tokenFile(file), at: 0)
        } else if let file = lookup.variableTokenFile {
            places.append(.tokenFile(file))
        }
        places += [.keyPairVariables, .profileFile]
        for place in places {
            guard let absence = try load(place) else { return }
            looked.append(absence)
        }
    }

    /// Loads what a place has; else says where that is and what it lacks.
    private mutating func load(_ place: Place) throws(KMSError) -> String? {
        let finding: CredentialFinding
        var file: ReadFile?
        switch place {
        case .tokenVariable: finding = try EnvironmentCredentials(lookup.environment).token()
        case .keyPairVariables: finding = try EnvironmentCredentials(lookup.environment).keyPair()
        case .tokenFile(let path): finding = try Self.token(inFile: path, &file)
        case .profileFile: finding = try keyPairInProfile(&file)
        }
        switch finding {
        case .absent(let text): return text
        case .found(let credentials):
            loaded = Loaded(place: place, credentials: credentials, file: file)
            return nil
        }
    }

    private static func token(
        inFile path: String, _ file: inout ReadFile?
    ) throws(KMSError) -> CredentialFinding {
        let source = CredentialSource.tokenFile(path)
        let read: SecretFile
        do { read = try SecretFile(reading: path) } catch { return .absent("\(source) (\(error))") }
        file = ReadFile(read, at: path)
        do {
            return .found(
                try Credentials(
                    token: read.contents.withBytes {
                        SecretBytes($0.droppingByteOrderMark().trimmingWhitespace())
                    }, source: source))
        } catch {
            throw .credentialsUnusable("\(source): \(error)")
        }
    }

    private mutating func keyPairInProfile(
        _ file: inout ReadFile?
    ) throws(KMSError) -> CredentialFinding {
        profilePath = profilePath ?? lookup.configurationFile
        guard let path = profilePath else { return .absent("~/.ncloud/configure (no home directory)") }
        let source = CredentialSource.profile(name: lookup.profile, file: path)
        let read: SecretFile
        do { read = try SecretFile(reading: path) } catch { return .absent("\(source) (\(error))") }
        file = ReadFile(read, at: path)
        let profile: ProfileFile
        do {
            profile = try read.profile(lookup.profile)
        } catch {
            throw .credentialsUnusable("\(path.excerpt), \(error)")
        }
        if let credentials = try profile.credentials(source: source) { return .found(credentials) }
        return .absent("\(source) (\(profile.hasProfile ? "no keys in it" : "no such profile"))")
    }

    private mutating func readChangedTokenFile() {
        guard let loaded, let place = loaded.place, case .tokenFile = place, loaded.file?.hasChanged ?? false else {
            return
        }
        // Between two tokens the file may be missing or half written: the old one serves until there is another.
        do {
            tokenFileProblem = try load(place)
        } catch {
            tokenFileProblem = error.message
        }
    }

    private mutating func askServerRole(now: Instant, looked: [String]) -> Step {
        guard let step = serverRole?.next(now: now), let endpoint = serverRole?.endpoint else {
            return .unavailable(.credentialsUnavailable(looked: looked + [serverRoleProblem]))
        }
        switch step {
        case .ready(let credentials, let refresh): return .ready(credentials, refresh: refresh)
        case .ask(let request): return .ask(request)
        case .wait: return .wait
        case .unavailable(let reason, _):
            return .unavailable(.credentialsUnavailable(looked: looked + ["server role at \(endpoint) (\(reason))"]))
        }
    }
}

/// What one place of the chain holds. A place with half a pair, or that can't be read as what it should be, throws.
enum CredentialFinding: Sendable {
    case found(Credentials)
    /// Where was looked, and why nothing was there: one entry of the list in the message of 1001.
    case absent(String)
}
