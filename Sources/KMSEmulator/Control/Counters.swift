import KMSJSON

/// What an emulator has counted, for tests; also the answer to `GET /_emulator/state`. Control requests are not
/// counted.
package struct EmulatorState: Sendable, Equatable {
    /// All requests whose headers arrived completely, including faulted and refused ones.
    package var total = 0
    /// The same by the key tag in the path, whether or not the seed has such a key.
    package var perKey: [String: Int] = [:]
    /// The number of requests on each of the last 1,000 connections with at least one, in the order in which they were
    /// opened.
    package var perConnection: [Int] = []
    package var openConnections = 0
    /// Connections opened since the start or the last reset.
    package var openedConnections = 0
    /// Requests refused with 401 and code 200: wrong signature, clock or token.
    package var signaturesRefused = 0
    /// Requests refused by the throttle.
    package var throttled = 0
    /// Requests that triggered a fault.
    package var faulted = 0
    /// Requests whose client disconnected before the answer was complete.
    package var aborted = 0
}

extension EmulatorState: JSONWritable {
    package func write(to json: inout JSONWriter) {
        json.object { object in
            object.member("total", total)
            object.member("perKey") { json in
                json.object { keys in
                    for (keyTag, count) in perKey.sorted(by: { $0.key < $1.key }) { keys.member(named: keyTag, count) }
                }
            }
            object.member("perConnection") { json in
                json.array { array in for count in perConnection { array.value(count) } }
            }
            object.member("openConnections", openConnections)
            object.member("openedConnections", openedConnections)
            object.member("signaturesRefused", signaturesRefused)
            object.member("throttled", throttled)
            object.member("faulted", faulted)
            object.member("aborted", aborted)
        }
    }
}

/// Counts for `EmulatorState`, and tracks which connections are idle.
struct Counters: Sendable {
    /// How many connections are reported individually.
    private static let maximumConnections = 1_000
    /// How many key tags are counted individually: more than any test needs, and little memory.
    private static let maximumKeyTags = 10_000

    private var totals = EmulatorState()
    private var open: [Int: Connection] = [:]
    /// The number of requests on each closed connection.
    private var closed: [Int: Int] = [:]

    private struct Connection {
        let socket: Int32
        var requests = 0
        var isBusy = false
        /// Whether it is closed after the current answer.
        var closesWhenIdle = false
        /// Whether it has had only control requests; then it is not counted.
        var isControl = false
        var isCountedAsOpened = true
    }

    /// - Parameter number: increases in the order of opening.
    mutating func connectionOpened(_ number: Int, socket: Int32) {
        open[number] = Connection(socket: socket)
        totals.openedConnections += 1
    }

    mutating func connectionClosed(_ number: Int) {
        guard let connection = open.removeValue(forKey: number), connection.requests > 0 else { return }
        closed[number] = connection.requests
        // Drops the older half at once: sorting at every close would take too long.
        guard closed.count > 2 * Self.maximumConnections else { return }
        for oldest in closed.keys.sorted().prefix(closed.count - Self.maximumConnections) { closed[oldest] = nil }
    }

    mutating func controlRequestBegan(on number: Int) {
        guard let connection = open[number], connection.requests == 0, !connection.isControl else { return }
        if connection.isCountedAsOpened { totals.openedConnections -= 1 }
        open[number]?.isControl = true
    }

    /// - Returns: the number of requests on the connection so far, including this one.
    mutating func requestBegan(on number: Int, keyTag: String?) -> Int {
        totals.total += 1
        if let keyTag, totals.perKey.count < Self.maximumKeyTags || totals.perKey[keyTag] != nil {
            totals.perKey[keyTag, default: 0] += 1
        }
        open[number]?.requests += 1
        serverRoleRequestBegan(on: number)
        return open[number]?.requests ?? 1
    }

    /// A request that is not counted itself, on a connection that is counted.
    mutating func serverRoleRequestBegan(on number: Int) {
        guard var connection = open[number] else { return }
        if connection.isControl {
            connection.isControl = false
            if connection.isCountedAsOpened { totals.openedConnections += 1 }
        }
        connection.isBusy = true
        open[number] = connection
    }

    /// - Returns: the connection's socket if it must be closed now.
    mutating func requestEnded(on number: Int, isAborted: Bool) -> Int32? {
        open[number]?.isBusy = false
        if isAborted { totals.aborted += 1 }
        guard let connection = open[number], connection.closesWhenIdle else { return nil }
        return connection.socket
    }

    mutating func signatureRefused() { totals.signaturesRefused += 1 }
    mutating func requestThrottled() { totals.throttled += 1 }
    mutating func requestFaulted() { totals.faulted += 1 }

    /// Starts over. Open connections stay open, without requests, and are not counted as opened.
    mutating func reset() {
        totals = EmulatorState()
        closed = [:]
        for number in open.keys {
            open[number]?.requests = 0
            open[number]?.isCountedAsOpened = false
        }
    }

    /// - Returns: the sockets of idle connections, to be closed now; the others are closed when their requests end.
    mutating func closeIdle() -> [Int32] {
        var sockets: [Int32] = []
        for (number, connection) in open where !connection.isControl {
            if connection.isBusy {
                open[number]?.closesWhenIdle = true
            } else {
                sockets.append(connection.socket)
            }
        }
        return sockets
    }

    var state: EmulatorState {
        var state = totals
        state.openConnections = open.values.count { !$0.isControl }
        let requests =
            closed.map { ($0.key, $0.value) }
            + open.filter { $0.value.requests > 0 }.map { ($0.key, $0.value.requests) }
        state.perConnection = requests.sorted { $0.0 < $1.0 }.suffix(Self.maximumConnections).map { $0.1 }
        return state
    }
}
