import KMSPlatform

/// What one fetch does about the shared entry of its key: use it, fetch the key for all processes, or wait for the
/// process that does.
struct Flight {
    /// A leader renews its marker at this interval; without renewal it lasts a second.
    static let renewalInterval = Duration.milliseconds(300)
    /// A follower asks again after the first pause, doubled each time, up to the longest.
    static let shortestPause = Duration.milliseconds(20)
    static let longestPause = Duration.milliseconds(250)
    /// An engine whose entries are always rejected is not asked for ever.
    static let maximumRejections = 3

    enum Role: Equatable {
        /// It has asked the engine, or will when there is a connection.
        case asking
        /// Another process fetches the key.
        ///
        /// - Parameter round: how often it has been told so.
        case following(round: Int)
        /// It fetches the key for all, and holds the marker.
        case leading
        /// It fetches the key for itself.
        case alone
    }

    /// What the engine says.
    enum Answer: Equatable {
        /// An entry that can't be used, which was passed over.
        case unusable
        case lead
        case wait
        case alone
    }

    enum Step: Equatable {
        case fetch
        /// Another process refreshes the key.
        case giveUp
        case ask(at: Instant)
    }

    /// In the order of arrival.
    let number: Int
    let request: PublicKeyRequest
    let seal: SharedSeal
    /// Tells this fetch from those of all processes: what it writes into the marker.
    let marker: String
    let names: SharedKeyNames
    /// The maximum age of an entry.
    let limit: Duration
    /// How long it may wait for the engine and for others: half of the time of its calls.
    private(set) var patience: Instant
    /// Whether it refreshes a key that is about to expire, and no call waits for it.
    private(set) var isRefresh: Bool

    private(set) var role = Role.asking
    /// The SHA-1 in hexadecimal of the entry to pass over; empty for none.
    private(set) var passedOver: [UInt8] = []
    private var rejections = 0
    /// Whether it has waited for another process.
    private(set) var hasFollowed = false
    /// How much of a plain look-up has been answered.
    var lookUp: (entry: [UInt8]?, time: Int64?) = (nil, nil)

    init(
        _ request: PublicKeyRequest, _ seal: SharedSeal, number: Int, marker: String, names: SharedKeyNames,
        limit: Duration, patience: Instant, isRefresh: Bool
    ) {
        self.number = number
        self.request = request
        self.seal = seal
        self.marker = marker
        self.names = names
        self.limit = limit
        self.patience = patience
        self.isRefresh = isRefresh
    }

    /// Whether it waits for the engine or for another process.
    var isWaiting: Bool {
        switch role {
        case .asking, .following: true
        case .leading, .alone: false
        }
    }

    /// Goes on without the engine.
    mutating func goAlone() { role = .alone }

    /// A call joined it, whose patience may end earlier.
    mutating func join(patience: Instant) {
        self.patience = min(self.patience, patience)
        isRefresh = false
    }

    /// Notes an entry that can't be used.
    ///
    /// - Parameter sha1: in hexadecimal.
    /// - Returns: whether it is another one than the last.
    mutating func passOver(_ sha1: [UInt8]) -> Bool {
        defer { passedOver = sha1 }
        return passedOver != sha1
    }

    /// 16 random bytes in hexadecimal.
    static func randomMarker() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in withUnsafeBytes(of: generator.next()) { Array($0).hexadecimal } }.joined()
    }

    /// - Parameter random: in 0..<1.
    mutating func answered(_ answer: Answer, now: Instant, random: Double) -> Step {
        switch answer {
        case .lead:
            role = .leading
            return .fetch
        case .alone:
            role = .alone
            return isRefresh ? .giveUp : .fetch
        case .unusable:
            rejections += 1
            guard rejections <= Self.maximumRejections else {
                role = .alone
                return isRefresh ? .giveUp : .fetch
            }
            role = .asking
            return .ask(at: now)
        case .wait:
            guard !isRefresh else { return .giveUp }
            guard now < patience else {
                role = .alone
                return .fetch
            }
            var round = 0
            if case .following(let previous) = role { round = previous + 1 }
            role = .following(round: round)
            hasFollowed = true
            let pause = min(Self.shortestPause * (1 << min(round, 10)), Self.longestPause)
            return .ask(at: min(now + pause.part(0.5 + random), patience))
        }
    }
}

/// The names in the engine for one key.
struct SharedKeyNames: Equatable {
    let entry: String
    /// Says that a process is fetching the key.
    let marker: String

    /// - Parameter name: from `SharedSeal`. The braces keep both in one slot of a cluster.
    init(prefix: String, _ name: String) {
        entry = "\(prefix):1:k:{\(name)}"
        marker = "\(prefix):1:f:{\(name)}"
    }
}

/// The flight script's answer, or what plain look-ups found.
struct FlightReply: Equatable {
    enum Kind: Equatable {
        case entry([UInt8])
        case lead
        case wait
        case alone
        /// What was to be done was done.
        case done
        /// A younger entry was there, and the new one was not stored.
        case kept
    }

    let kind: Kind
    /// Whether a process fetches the key, where plain look-ups found that beside an entry.
    var hasLeader = false
    /// By the engine's clock, in microseconds since 1970-01-01T00:00:00Z.
    let engineTime: Int64

    /// Nil if the script does not reply in this form.
    init?(_ reply: EngineReply) {
        guard case .array(let parts) = reply, parts.count >= 2, case .bytes(let word) = parts[0],
            case .integer(let time) = parts[1]
        else { return nil }
        engineTime = time
        switch (String(decoding: word, as: UTF8.self), parts.count) {
        case ("entry", 3):
            guard case .bytes(let text) = parts[2] else { return nil }
            kind = .entry(text)
        case ("lead", 2): kind = .lead
        case ("wait", 2): kind = .wait
        case ("alone", 2): kind = .alone
        case ("done", 2): kind = .done
        case ("kept", 2): kind = .kept
        default: return nil
        }
    }

    /// - Parameters:
    ///   - entry: nil if there is none.
    ///   - marker: nil if nobody fetches the key.
    init(entry: [UInt8]?, marker: [UInt8]?, engineTime: Int64) {
        self.engineTime = engineTime
        let isFetched = marker != nil && marker != [UInt8(ascii: "0")]
        if let entry {
            kind = .entry(entry)
            hasLeader = isFetched
        } else {
            kind = isFetched ? .wait : .alone
        }
    }
}

extension EngineReply {
    /// The answer to `TIME` in microseconds since 1970-01-01T00:00:00Z: seconds and microseconds, in decimal. Nil for any
    /// other reply.
    var time: Int64? {
        guard case .array(let parts) = self, parts.count == 2, case .bytes(let seconds) = parts[0],
            case .bytes(let rest) = parts[1], let seconds = Int64(String(decoding: seconds, as: UTF8.self)),
            let rest = Int64(String(decoding: rest, as: UTF8.self)), (0...1 << 40).contains(seconds),
            (0..<1_000_000).contains(rest)
        else { return nil }
        return seconds * 1_000_000 + rest
    }

    /// The answer to `GET`; nil if there is no such name.
    ///
    /// - Throws: `unknownReply` for any other reply.
    func asText() throws(EngineLoss) -> [UInt8]? {
        switch self {
        case .bytes(let bytes): return bytes
        case .null: return nil
        default: throw .unknownReply
        }
    }
}
