import Platform

/// The fetches under way and who waits for each, so that equal calls share one. A fetch begins when the first caller asks, and starts when its first request is handed to the
/// transport; until then every caller may join it.
package struct FetchTable<Key: Hashable, Waiter> {
    package struct FetchID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// One caller's place at one fetch.
    package struct WaiterID: Hashable, Sendable {
        package let fetch: FetchID
        fileprivate let number: UInt64
    }

    fileprivate struct Fetch {
        var key: Key
        var start: Instant?
        /// Nil for a fetch that callers began: it ends with its last caller. A refresh ends at its own deadline.
        let refreshDeadline: Instant?
        var waiters: [(number: UInt64, deadline: Instant, waiter: Waiter)] = []
    }

    private var fetches: [FetchID: Fetch] = [:]
    /// The fetches of a key, in the order in which they got it.
    private var fetchesByKey: [Key: [FetchID]] = [:]
    private var lastNumber: UInt64 = 0

    /// Callers that joined a fetch instead of beginning one.
    package private(set) var coalesced = 0

    package init() {}

    /// Fetches under way.
    package var count: Int { fetches.count }

    /// Lets a caller wait: for a fetch under way whose answer will be young enough, else for a new one.
    ///
    /// - Returns: the caller's place, and whether its fetch is new and has to be sent.
    package mutating func join(
        _ key: Key, limit: AgeLimit, arrival: Instant, deadline: Instant, waiter: Waiter
    ) -> (place: WaiterID, isNew: Bool) {
        let joinable = fetchesByKey[key]?.last { id in
            guard let fetch = fetches[id] else { return false }
            return fetch.start.map { limit.accepts(fetchStart: $0, arrival: arrival) } ?? true
        }
        if joinable != nil { coalesced += 1 }
        let id = joinable ?? begin(key, refreshDeadline: nil)
        let place = WaiterID(fetch: id, number: nextNumber())
        fetches[id]?.waiters.append((place.number, deadline, waiter))
        return (place, joinable == nil)
    }

    /// Begins a fetch for which nobody waits yet.
    ///
    /// - Returns: nil if one is under way for that key, which will do as well.
    package mutating func beginRefresh(_ key: Key, deadline: Instant) -> FetchID? {
        fetchesByKey[key] == nil ? begin(key, refreshDeadline: deadline) : nil
    }

    /// A fetch goes on under another key: callers of the old one can't join it any more. Those who wait stay.
    package mutating func move(_ id: FetchID, to key: Key) {
        guard let old = fetches[id]?.key, old != key else { return }
        forget(id, under: old)
        fetches[id]?.key = key
        fetchesByKey[key, default: []].append(id)
    }

    /// The first request of a fetch was handed to the transport: its answer is as old as this. Later calls change
    /// nothing, as an answer to a repeat may have come from the first request.
    package mutating func started(_ id: FetchID, now: Instant) {
        if fetches[id]?.start == nil { fetches[id]?.start = now }
    }

    package func start(of id: FetchID) -> Instant? { fetches[id]?.start }

    /// Who waits for it, first come first.
    package func waiters(of id: FetchID) -> [Waiter] {
        fetches[id]?.waiters.map(\.waiter) ?? []
    }

    /// The latest time at which somebody still waits for it; nil if it is not under way.
    package func deadline(of id: FetchID) -> Instant? {
        guard let fetch = fetches[id] else { return nil }
        return fetch.waiters.reduce(fetch.refreshDeadline) { latest, waiter in
            latest.map { max($0, waiter.deadline) } ?? waiter.deadline
        }
    }

    /// A caller gives up.
    ///
    /// - Returns: the caller, and whether its fetch is to be aborted because nobody else waits. Such a fetch is no
    ///   longer in the table, so that nobody can join it. Nil if the fetch ended before, or the caller had left.
    package mutating func leave(_ place: WaiterID) -> (waiter: Waiter, isAbandoned: Bool)? {
        guard let index = fetches[place.fetch]?.waiters.firstIndex(where: { $0.number == place.number }),
            let left = fetches[place.fetch]?.waiters.remove(at: index)
        else { return nil }
        let isAbandoned = fetches[place.fetch].map { $0.waiters.isEmpty && $0.refreshDeadline == nil } ?? true
        if isAbandoned { remove(place.fetch) }
        return (left.waiter, isAbandoned)
    }

    /// A fetch has its answer, or failed for good.
    ///
    /// - Returns: who waits for it, first come first; empty if it is not under way any more.
    package mutating func end(_ id: FetchID) -> [Waiter] {
        remove(id)?.waiters.map(\.waiter) ?? []
    }

    private mutating func begin(_ key: Key, refreshDeadline: Instant?) -> FetchID {
        let id = FetchID(number: nextNumber())
        fetches[id] = Fetch(key: key, refreshDeadline: refreshDeadline)
        fetchesByKey[key, default: []].append(id)
        return id
    }

    @discardableResult
    private mutating func remove(_ id: FetchID) -> Fetch? {
        guard let fetch = fetches.removeValue(forKey: id) else { return nil }
        forget(id, under: fetch.key)
        return fetch
    }

    private mutating func forget(_ id: FetchID, under key: Key) {
        guard let index = fetchesByKey.index(forKey: key) else { return }
        if fetchesByKey.values[index] == [id] {
            fetchesByKey.remove(at: index)
        } else {
            fetchesByKey.values[index].removeAll { $0 == id }
        }
    }

    private mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}

extension FetchTable: Sendable where Key: Sendable, Waiter: Sendable {}
extension FetchTable.Fetch: Sendable where Key: Sendable, Waiter: Sendable {}
