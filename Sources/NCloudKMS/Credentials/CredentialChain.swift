import KMSPlatform

/// The sources of credentials, in this order: token, environment, profile file, server role. The first complete one is
/// used; an incomplete pair in one place is an error.
///
/// Credentials that were found are kept. A token file is read again when it changes; any file is read again if the
/// service refuses its contents. As long as nothing is found, every call searches again.
struct CredentialChain: Sendable {
    enum Step: Sendable {
        /// Use these credentials; also send the request, if there is one, and pass its answer to `serverRole`.
        case ready(Credentials, refresh: MetadataRequest?)
        /// Send this request, pass its answer to `serverRole`, and let the callers wait.
        case ask(MetadataRequest)
        /// A request is under way: wait for its answer.
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
        /// Nil if the application provided the credentials.
        let place: Place?
        var credentials: Credentials
        let file: ReadFile?
    }

    /// The file that credentials came from, in its state at that time.
    private struct ReadFile {
        let path: String
        let stamp: FileStamp
        let isNeedlesslyOpen: Bool

        var hasChanged: Bool { FileStamp(ofFile: path) != stamp }

        init(_ file: SecretFile, at path: String) {
            self.path = path
            stamp = file.stamp
            isNeedlesslyOpen = file.isNeedlesslyOpen
        }
    }

    private let lookup: CredentialLookup
    /// Looked up only once, because the password database may query a directory service.
    private var profilePath: String?
    private var loaded: Loaded?

    /// The last source; nil if the environment names an unusable metadata service.
    var serverRole: ServerRole?
    private let serverRoleProblem: String

    /// Why a changed token file could not be read, for the log; the old token is still used.
    private(set) var tokenFileProblem: String?

    /// The current credentials' file, if other users can read or change it and that can be prevented: worth a warning.
    var fileOpenToOthers: String? {
        loaded?.file.flatMap { $0.isNeedlesslyOpen ? $0.path : nil }
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

    /// Not a chain: the application provided the credentials.
    init(_ credentials: Credentials) {
        lookup = CredentialLookup(environment: EnvironmentVariables([:]))
        loaded = Loaded(place: nil, credentials: credentials, file: nil)
        serverRoleProblem = ""
    }

    /// The current or last credentials.
    func credentials(now: Instant) -> Credentials? {
        loaded?.credentials ?? serverRole?.credentials(now: now)
    }

    /// What to do for a call that needs the service.
    mutating func next(now: Instant) -> Step {
        if loaded != nil {
            readChangedTokenFile()
        } else if serverRole?.credentials(now: now) == nil {
            // All other sources were searched when the request was made.
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

    /// After the service refused credentials (1002): other credentials to repeat the call with, once.
    ///
    /// - Parameter refused: the refused credentials.
    /// - Returns: nil if there are no others.
    /// - Throws: `KMSError` if the file can't be used any more; the old credentials are kept.
    mutating func replacement(
        for refused: CredentialIdentity, now: Instant
    ) throws(KMSError) -> Credentials? {
        guard let current = credentials(now: now) else { return nil }
        if current.identity != refused { return current }
        // The file is read even if it looks unchanged: a refusal is stronger evidence than the file's times.
        guard let loaded, let place = loaded.place, loaded.file != nil else { return nil }
        guard try load(place) == nil, let credentials = self.loaded?.credentials else { return nil }
        return credentials.identity == refused ? nil : credentials
    }

    // MARK: Sources

    private mutating func search(_ looked: inout [String]) throws(KMSError) {
        var places: [Place] = [.tokenVariable]
        // A flag takes precedence over a variable.
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

    /// Loads the credentials of a source; otherwise returns where it is and what it lacks.
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
            throw .credentialsUnusable("\(source): the token \(error.problem)")
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
        // While a token is being replaced, the file may be missing or incomplete: the old token is used until there is
        // a new one.
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

/// The result for one source. An incomplete or unreadable source throws.
enum CredentialFinding: Sendable {
    case found(Credentials)
    /// The place that was searched, and why nothing was found there: one entry of the list in the message of 1001.
    case absent(String)
}
