import KMSPlatform
import KMSPublicKeys

/// The shared entries that fetches look for, wait for, or make.
struct SharedKeys {
    private let configuration: SharedState.Configuration
    private var flights: [FetchID: Flight] = [:]
    private var lastFlight = 0
    /// When followers ask again, and when leaders renew their markers.
    private var timers = DeadlineHeap<Fetch>()
    private var seal: (identity: CredentialIdentity, value: SharedSeal)?
    private var keyLog = SharedKeyLog()
    private(set) var counters = SharedStatus.Keys()

    init(_ configuration: SharedState.Configuration) {
        self.configuration = configuration
    }

    var nextDue: Instant? { timers.next }

    mutating func due(_ dialogue: inout EngineDialogue, now: Instant) {
        while let fetch = timers.popDue(by: now) {
            guard let flight = flights[fetch] else { continue }
            switch flight.role {
            case .leading: renew(fetch, &dialogue, now: now)
            case .asking, .following:
                if flight.patience <= now { goAlone(fetch, &dialogue) } else { ask(fetch, &dialogue, now: now) }
            case .alone: break
            }
        }
    }

    // MARK: Fetches

    /// Looks for the key of a fetch.
    ///
    /// - Returns: whether a verdict follows; otherwise the fetch asks the service.
    mutating func lookUp(
        _ fetch: FetchID, _ request: PublicKeyRequest, _ credentials: Credentials, _ lookUp: SharedLookUp,
        _ dialogue: inout EngineDialogue, now: Instant
    ) -> Bool {
        guard configuration.keys != .off, lookUp.limit > .zero, let seal = seal(for: credentials),
            let name = seal.name(of: request)
        else { return false }
        lastFlight += 1
        var flight = Flight(
            request, seal, number: lastFlight, marker: configuration.marker(),
            names: SharedKeyNames(prefix: configuration.prefix, name), limit: lookUp.limit,
            patience: now + (lookUp.deadline - now) / 2, isRefresh: lookUp.isRefresh)
        let verdict = dialogue.wanted(now: now, deadline: lookUp.deadline)
        if verdict == .goWithout {
            // Without the engine, another process may refresh the key as well.
            guard !lookUp.isRefresh else {
                dialogue.append(.givenUp(fetch))
                return true
            }
            flight.goAlone()
        }
        flights[fetch] = flight
        if verdict == .ask { ask(fetch, &dialogue, now: now) }
        return verdict != .goWithout
    }

    /// A call joined a fetch: nobody waits for more than half of the time.
    ///
    /// - Returns: whether the fetch waits for its key.
    mutating func joined(_ fetch: FetchID, deadline: Instant, now: Instant) -> Bool {
        guard let flight = flights[fetch], flight.isWaiting else { return false }
        flights[fetch]?.join(patience: now + (deadline - now) / 2)
        if let due = timers.remove(fetch), let patience = flights[fetch]?.patience {
            timers.insert(fetch, due: min(due, patience))
        }
        return true
    }

    /// The maximum age that a fetch looks for; nil if it looks for none.
    func limit(of fetch: FetchID) -> Duration? { flights[fetch]?.limit }

    /// The service sent a key.
    ///
    /// - Parameters:
    ///   - startedAt: the start of the fetch by the service's clock, in milliseconds since 1970-01-01T00:00:00Z; nil if
    ///     the answer did not tell.
    ///   - age: since the start.
    mutating func fetched(
        _ fetch: FetchID, _ request: PublicKeyRequest, _ credentials: Credentials, _ key: FetchedKey,
        startedAt: Int64?, age: Duration, _ dialogue: inout EngineDialogue, now: Instant
    ) {
        let flight = remove(fetch)
        let life = configuration.timeToLive - age
        guard configuration.keys == .on, dialogue.health.isConnected, life > .zero,
            let seal = seal(for: credentials), let name = seal.name(of: request)
        else { return }
        let entry = startedAt.flatMap {
            SharedEntry(startedAt: $0, attempts: key.attempts, requestID: key.requestID, pem: key.key.pem)
                .text(for: request, seal)
        }
        let names = SharedKeyNames(prefix: configuration.prefix, name)
        if let entry {
            let milliseconds = Array(String(life.millisecondsRoundedUp).utf8)
            let arguments = [entry, milliseconds, flight?.passedOver ?? []]
            dialogue.send(command(names, "store", flight?.marker ?? "", arguments), .store, now: now)
        } else if let flight, flight.role == .leading {
            tell(names, "release", flight.marker, [], &dialogue, now: now)
        }
    }

    /// A fetch ended without a key.
    ///
    /// - Parameters:
    ///   - identity: of the credentials that it was made with.
    ///   - error: nil if no call waits for it any more.
    mutating func failed(
        _ fetch: FetchID, _ request: PublicKeyRequest, _ identity: CredentialIdentity?, _ error: KMSError?,
        _ dialogue: inout EngineDialogue, now: Instant
    ) {
        let flight = remove(fetch)
        guard configuration.keys == .on, dialogue.health.isConnected else { return }
        let isGone = error?.code == .keyNotFound || error?.code == .keyUnusable
        if isGone {
            // Whoever finds out deletes the entry, also without having looked for it.
            guard let names = flight?.names ?? names(of: request, identity) else { return }
            tell(names, "refuse", flight?.marker ?? "", [Array("1".utf8)], &dialogue, now: now)
        } else if let flight, flight.role == .leading {
            if let error, !error.code.isUnavailability {
                tell(flight.names, "refuse", flight.marker, [Array("0".utf8)], &dialogue, now: now)
            } else {
                tell(flight.names, "release", flight.marker, [], &dialogue, now: now)
            }
        }
    }

    private func names(of request: PublicKeyRequest, _ identity: CredentialIdentity?) -> SharedKeyNames? {
        guard let seal, seal.identity == identity else { return nil }
        return seal.value.name(of: request).map { SharedKeyNames(prefix: configuration.prefix, $0) }
    }

    private mutating func remove(_ fetch: FetchID) -> Flight? {
        timers.remove(fetch)
        return flights.removeValue(forKey: fetch)
    }

    // MARK: The engine

    private mutating func ask(_ fetch: FetchID, _ dialogue: inout EngineDialogue, now: Instant) {
        guard let flight = flights[fetch] else { return }
        guard dialogue.health.isConnected else { return goAlone(fetch, &dialogue) }
        timers.insert(fetch, due: flight.patience)
        switch configuration.keys {
        case .off: break
        case .read:
            // An engine does not run scripts on names that its user may only read.
            dialogue.send(EngineCommand("TIME"), .time(fetch), now: now)
            dialogue.send(EngineCommand("GET", flight.names.entry), .entry(fetch), now: now)
            dialogue.send(EngineCommand("GET", flight.names.marker), .marker(fetch), now: now)
        case .on:
            let command = command(flight.names, "ask", flight.marker, [flight.passedOver])
            dialogue.send(command, .flight(fetch), now: now)
        }
    }

    private mutating func renew(_ fetch: FetchID, _ dialogue: inout EngineDialogue, now: Instant) {
        guard let flight = flights[fetch] else { return }
        if dialogue.health.isConnected { tell(flight.names, "renew", flight.marker, [], &dialogue, now: now) }
        timers.insert(fetch, due: now + Flight.renewalInterval)
    }

    /// The time of a plain look-up.
    mutating func replied(_ fetch: FetchID, time: Int64) { flights[fetch]?.lookUp.time = time }

    /// The entry of a plain look-up; nil if there is none.
    mutating func replied(_ fetch: FetchID, entry: [UInt8]?) { flights[fetch]?.lookUp.entry = entry }

    /// The marker of a plain look-up; nil if there is none.
    ///
    /// - Returns: what all of it together says.
    func replied(_ fetch: FetchID, marker: [UInt8]?) -> FlightReply? {
        guard let lookUp = flights[fetch]?.lookUp, let time = lookUp.time else { return nil }
        return FlightReply(entry: lookUp.entry, marker: marker, engineTime: time)
    }

    /// The engine answered a look-up.
    ///
    /// - Parameter wallClock: this machine's time as the service sees it, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Returns: whether this is an answer to that.
    mutating func replied(
        _ fetch: FetchID, _ reply: FlightReply, wallClock: Int64, _ dialogue: inout EngineDialogue, now: Instant
    ) -> Bool {
        guard var flight = flights[fetch], flight.isWaiting else { return true }
        timers.remove(fetch)
        let difference = Duration.milliseconds(reply.engineTime / 1_000 - wallClock)
        let clocksDiffer = difference.magnitude > SharedStateConfiguration.maximumClockDifference
        dialogue.log(keyLog.clocks(differ: clocksDiffer, by: difference))
        var answer: Flight.Answer
        switch reply.kind {
        case .entry(let text):
            var rejection: SharedEntry.Rejection?
            do throws(SharedEntry.Rejection) {
                if !clocksDiffer, let (key, age) = try use(text, flight, wallClock: wallClock) {
                    counters.hits += 1
                    flights[fetch] = nil
                    dialogue.append(.found(fetch, key, start: now + (.zero - max(age, .zero))))
                    return true
                }
            } catch {
                rejection = error
            }
            let isNew = flight.passOver(EngineScript.sha1(of: text))
            if let rejection {
                // A process that may only read is told of the same one until it is replaced.
                if isNew { counters.rejected += 1 }
                if keyLog.isRejectionDue(now: now) { dialogue.log(.entryRejected(rejection)) }
            }
            // A process that may only read waits for the leader that replaces it.
            answer = reply.hasLeader ? .wait : .unusable
        case .lead: answer = .lead
        case .wait: answer = .wait
        case .alone: answer = .alone
        case .done, .kept: return false
        }
        // It could not use the entry that it would wait for, and it may not replace one.
        if answer != .lead, clocksDiffer || (configuration.keys == .read && answer != .wait) { answer = .alone }
        let hadFollowed = flight.hasFollowed
        let step = flight.answered(answer, now: now, random: configuration.random())
        if flight.hasFollowed, !hadFollowed { counters.followed += 1 }
        flights[fetch] = flight
        follow(step, fetch, flight.role, &dialogue, now: now)
        return true
    }

    private mutating func follow(
        _ step: Flight.Step, _ fetch: FetchID, _ role: Flight.Role, _ dialogue: inout EngineDialogue, now: Instant
    ) {
        switch step {
        case .fetch:
            counters.misses += 1
            if role == .leading {
                counters.led += 1
                timers.insert(fetch, due: now + Flight.renewalInterval)
            }
            dialogue.append(.notFound(fetch))
        case .giveUp:
            flights[fetch] = nil
            dialogue.append(.givenUp(fetch))
        case .ask(let time):
            if time <= now { ask(fetch, &dialogue, now: now) } else { timers.insert(fetch, due: time) }
        }
    }

    /// The key of an entry, if the fetch can use it; nil if it is too old for its calls.
    private func use(
        _ text: [UInt8], _ flight: Flight, wallClock: Int64
    ) throws(SharedEntry.Rejection) -> (FetchedKey, age: Duration)? {
        let entry = try SharedEntry(text, for: flight.request, flight.seal)
        let age = try entry.age(wallClock: wallClock, timeToLive: configuration.timeToLive)
        guard SharedEntry.isYoungEnough(age, for: flight.limit) else { return nil }
        do throws(PublicKeyError) {
            let key = try PublicKey(pem: entry.pem)
            return (FetchedKey(key: key, attempts: entry.attempts, requestID: entry.requestID), age)
        } catch {
            throw .invalidKey
        }
    }

    /// The engine can be asked from now on.
    mutating func connected(_ dialogue: inout EngineDialogue, now: Instant) {
        for (fetch, flight) in flightsInOrder where flight.role == .asking { ask(fetch, &dialogue, now: now) }
    }

    /// The engine can't be asked from now on. Leaders keep on: their entries may be stored later.
    mutating func degrade(_ dialogue: inout EngineDialogue) {
        for (fetch, flight) in flightsInOrder {
            switch flight.role {
            case .asking, .following: goAlone(fetch, &dialogue)
            case .leading, .alone: break
            }
        }
    }

    private mutating func goAlone(_ fetch: FetchID, _ dialogue: inout EngineDialogue) {
        timers.remove(fetch)
        // Without the engine, another process may refresh the key as well.
        if flights[fetch]?.isRefresh ?? true {
            flights[fetch] = nil
            return dialogue.append(.givenUp(fetch))
        }
        flights[fetch]?.goAlone()
        counters.misses += 1
        dialogue.append(.notFound(fetch))
    }

    /// The engine has stored an entry.
    mutating func stored() { counters.stored += 1 }

    /// So that what happens does not depend on this process's hash seed.
    private var flightsInOrder: [(key: FetchID, value: Flight)] { flights.sorted { $0.value.number < $1.value.number } }

    /// Sends a verb of the flight script whose reply does not matter.
    private func tell(
        _ names: SharedKeyNames, _ verb: StaticString, _ marker: String, _ arguments: [[UInt8]],
        _ dialogue: inout EngineDialogue, now: Instant
    ) {
        dialogue.send(command(names, verb, marker, arguments), .none, now: now)
    }

    private func command(
        _ names: SharedKeyNames, _ verb: StaticString, _ marker: String, _ arguments: [[UInt8]]
    ) -> EngineCommand {
        .script(
            .flight, keys: [names.entry, names.marker],
            arguments: [Array(verb.bytes), Array(marker.utf8)] + arguments)
    }

    private mutating func seal(for credentials: Credentials) -> SharedSeal? {
        if let seal, seal.identity == credentials.identity { return seal.value }
        let secret = configuration.macSecret ?? credentials.secret
        guard let value = try? SharedSeal(secret: secret, baseURL: configuration.baseURL) else { return nil }
        seal = (credentials.identity, value)
        return value
    }
}
