import CKMSLinux

extension EventLoop {
    /// What a descriptor is watched for; if empty, only whether it is hung up or broken.
    public struct Events: OptionSet, Sendable {
        public let rawValue: Int16

        public init(rawValue: Int16) { self.rawValue = rawValue }

        /// There is something to read, or the end has been reached.
        public static let readable = Events(rawValue: Int16(POLLIN))
        /// A write would not block.
        public static let writable = Events(rawValue: Int16(POLLOUT))
        /// Hung up, broken or not open; reported whether or not it is requested.
        public static let closed = Events(rawValue: Int16(POLLERR | POLLHUP | POLLNVAL))
    }

    /// A descriptor that the loop watches for a source.
    public struct Watch: Equatable, Sendable {
        public let descriptor: CInt
        fileprivate let place: Int

        /// Identifies this watch among the loop's watches; a C library can store it with the descriptor. Never 0.
        public var token: Int { place }

        public init(descriptor: CInt, token: Int) {
            self.descriptor = descriptor
            place = token
        }
    }
}

/// The descriptors that a loop watches, and the events that the last `poll(2)` reported.
struct WatchTable {
    /// The events of one descriptor.
    struct Found {
        let source: any EventSource
        let watch: EventLoop.Watch
        let events: EventLoop.Events
    }

    private struct Watcher {
        /// Nil in a free place.
        var source: (any EventSource)?
        var isUrgent: Bool
    }

    /// The argument of `poll`: the waker, then one entry for each place.
    private var entries: [pollfd]
    private var watchers = [Watcher(source: nil, isUrgent: false)]
    private var freePlaces: [Int] = []
    private var urgentPlaces: [Int] = []
    /// The argument of `poll` for only the urgent places.
    private var urgentEntries: [pollfd] = []
    /// The place at which the search for events of descriptors that are not urgent continues, so that each gets its
    /// turn.
    private var nextPlace = 1
    /// An upper bound of the entries with events that have not been taken.
    private var found = 0

    /// - Parameter waker: the read end of the loop's waker.
    init(waker: CInt) {
        entries = [pollfd(fd: waker, events: Int16(POLLIN), revents: 0)]
    }

    var hasUrgent: Bool { !urgentPlaces.isEmpty }

    // MARK: Watches

    mutating func insert(
        _ descriptor: CInt, for events: EventLoop.Events?, isUrgent: Bool, by source: any EventSource
    ) -> EventLoop.Watch {
        let place: Int
        if let free = freePlaces.popLast() {
            place = free
            watchers[place] = Watcher(source: source, isUrgent: isUrgent)
        } else {
            place = entries.count
            entries.append(pollfd(fd: -1, events: 0, revents: 0))
            watchers.append(Watcher(source: source, isUrgent: isUrgent))
        }
        if isUrgent { urgentPlaces.append(place) }
        let watch = EventLoop.Watch(descriptor: descriptor, token: place)
        change(watch, to: events)
        return watch
    }

    mutating func change(_ watch: EventLoop.Watch, to events: EventLoop.Events?) {
        // A descriptor without requested events is left out: otherwise its hang-up would keep the loop from sleeping.
        entries[watch.place].fd = events == nil ? -1 : watch.descriptor
        entries[watch.place].events = events?.rawValue ?? 0
        // Drops reported events that are no longer requested.
        entries[watch.place].revents &= events.map { $0.union(.closed).rawValue } ?? 0
    }

    mutating func remove(_ watch: EventLoop.Watch) { free(watch.place) }

    mutating func removeAll(of source: any EventSource) {
        for place in watchers.indices where watchers[place].source === source { free(place) }
    }

    /// Events for the place's last user must not reach its next one.
    private mutating func free(_ place: Int) {
        guard watchers[place].source != nil else { return }
        watchers[place].source = nil
        entries[place] = pollfd(fd: -1, events: 0, revents: 0)
        urgentPlaces.removeAll { $0 == place }
        freePlaces.append(place)
    }

    // MARK: Looking

    /// Polls all descriptors.
    ///
    /// - Parameter timeout: how long to wait for an event, in milliseconds; -1 for no limit.
    /// - Returns: false if the system can't poll them, so that an immediate retry is pointless.
    mutating func poll(timeout: CInt) -> Bool {
        let count = entries.withUnsafeMutableBufferPointer { systemPoll($0.baseAddress, nfds_t($0.count), timeout) }
        if count >= 0 || errno == EINTR {
            found = max(0, Int(count))
            return true
        }
        // The system is out of memory, or its descriptor limit was lowered below the number of entries.
        found = pollEach()
        return found > 0
    }

    /// Polls the descriptors one at a time, without waiting.
    ///
    /// - Returns: how many have events.
    private mutating func pollEach() -> Int {
        var count = 0
        for place in entries.indices {
            entries[place].revents = 0
            if systemPoll(&entries[place], 1, 0) > 0 { count += 1 }
        }
        return count
    }

    /// Polls the urgent descriptors, without waiting. A failure reports nothing: `poll` will fail, too.
    mutating func pollUrgent() {
        urgentEntries.removeAll(keepingCapacity: true)
        for place in urgentPlaces { urgentEntries.append(entries[place]) }
        let count = urgentEntries.withUnsafeMutableBufferPointer { systemPoll($0.baseAddress, nfds_t($0.count), 0) }
        guard count > 0 else { return }
        for (place, entry) in zip(urgentPlaces, urgentEntries) { entries[place].revents = entry.revents }
        found += Int(count)
    }

    // MARK: What was found

    /// Whether there may be events that have not been taken.
    var hasFound: Bool { found > 0 }

    /// - Returns: whether the waker was used; its event is then taken.
    mutating func takeWaker() -> Bool {
        guard entries[0].revents != 0 else { return false }
        entries[0].revents = 0
        found -= 1
        return true
    }

    mutating func takeUrgent() -> Found? {
        for place in urgentPlaces {
            if let something = take(place) { return something }
        }
        return nil
    }

    /// The events of the next descriptor that is not urgent; nil if there are none.
    mutating func takeOther() -> Found? {
        for _ in 1..<max(entries.count, 2) where hasFound {
            let place = nextPlace < entries.count ? nextPlace : 1
            nextPlace = place + 1
            if place < entries.count, !watchers[place].isUrgent, let something = take(place) { return something }
        }
        // All other events belonged to watches that have been removed or changed.
        found = 0
        return nil
    }

    private mutating func take(_ place: Int) -> Found? {
        let entry = entries[place]
        guard entry.revents != 0, let source = watchers[place].source else { return nil }
        entries[place].revents = 0
        found -= 1
        return Found(
            source: source, watch: EventLoop.Watch(descriptor: entry.fd, token: place),
            events: EventLoop.Events(rawValue: entry.revents))
    }
}

/// `poll(2)`, which the method of the same name hides.
private func systemPoll(_ entries: UnsafeMutablePointer<pollfd>?, _ count: nfds_t, _ timeout: CInt) -> CInt {
    poll(entries, count, timeout)
}
