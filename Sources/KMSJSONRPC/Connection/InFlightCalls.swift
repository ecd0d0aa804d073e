import KMSJSON
import KMSPlatform

/// The id of a request: the bytes for the answer, and the key that cancellation compares.
///
/// Strings are compared by their characters, numbers by their text. Ids of different dialects are different ids.
struct RequestID: Hashable, Sendable {
    /// As written in the request.
    let text: [UInt8]
    /// The same without escapes. A string begins with its quote, which distinguishes it from other kinds.
    private let key: [UInt8]
    private let dialect: Int?

    /// - Parameters:
    ///   - token: a string, a number or null.
    ///   - dialect: the dialect's number; nil for JSON-RPC itself.
    init(_ token: JSONToken, in bytes: UnsafeBufferPointer<UInt8>, dialect: Int? = nil) {
        self.dialect = dialect
        text = Array(bytes[token.range])
        key = token.hasEscapes ? [UInt8(ascii: "\"")] + token.decoded(from: bytes) + [UInt8(ascii: "\"")] : text
    }

    static func == (left: RequestID, right: RequestID) -> Bool {
        left.dialect == right.dialect
            && left.key.withUnsafeBufferPointer { left in right.key.withUnsafeBufferPointer(left.hasSameBytes) }
    }

    /// Seeded per process, so that nobody can choose ids that collide.
    func hash(into hasher: inout Hasher) {
        key.withUnsafeBytes { hasher.combine(bytes: $0) }
        hasher.combine(dialect)
    }
}

/// A call that was started and has not finished.
struct InFlightCall: Sendable {
    let call: Call
    /// The size of its id and parameters, in bytes.
    let size: Int
    var abort: (@Sendable () -> Void)?
    /// The number of progress reports sent for it.
    var reports = 0
}

typealias CallID = SlotMap<InFlightCall>.ID

/// The calls in flight, by their own ids and by their request ids. The cost of an operation does not depend on the
/// number of other calls.
struct InFlightCalls: Sendable {
    /// The calls with one request id: nearly always just one, which needs no allocation.
    private struct CallIDs {
        var first: CallID?
        var others: Set<CallID> = []

        var isEmpty: Bool { first == nil && others.isEmpty }

        mutating func insert(_ id: CallID) {
            if isEmpty { first = id } else { others.insert(id) }
        }

        mutating func remove(_ id: CallID) {
            if first == id { first = nil } else { others.remove(id) }
        }
    }

    private var calls = SlotMap<InFlightCall>()
    private var idsByRequest: [RequestID: CallIDs] = [:]

    /// The total size of their ids and parameters, in bytes.
    private(set) var bytes = 0

    var count: Int { calls.count }

    /// Adds the call that `make` makes for its id.
    ///
    /// - Parameter size: the size of its id and parameters, in bytes.
    mutating func insert(size: Int, _ make: (CallID) -> Call) -> Call {
        let call = make(calls.nextID)
        let id = calls.insert(InFlightCall(call: call, size: size))
        bytes += size
        if let request = call.requestID { idsByRequest[request, default: CallIDs()].insert(id) }
        return call
    }

    /// Removes a call; nil if it has already ended.
    mutating func remove(_ call: Call) -> InFlightCall? {
        guard let ended = calls.remove(call.callID) else { return nil }
        bytes -= ended.size
        if let request = call.requestID, let index = idsByRequest.index(forKey: request) {
            // In place: copying a large set for each of many calls would take quadratic time.
            idsByRequest.values[index].remove(call.callID)
            if idsByRequest.values[index].isEmpty { idsByRequest.remove(at: index) }
        }
        return ended
    }

    /// Removes all calls, in the order of their arrival.
    mutating func removeAll() -> [InFlightCall] {
        idsByRequest = [:]
        bytes = 0
        return calls.removeAll().sorted { $0.call.number < $1.call.number }
    }

    /// Sets what to run if the call ends unanswered; false if it has ended.
    mutating func setAbort(of call: Call, _ abort: @escaping @Sendable () -> Void) -> Bool {
        guard calls[call.callID] != nil else { return false }
        calls[call.callID]?.abort = abort
        return true
    }

    /// The number of the next report about a call; nil if it has ended.
    mutating func countReport(of call: Call) -> Int? {
        calls[call.callID]?.reports += 1
        return calls[call.callID]?.reports
    }

    /// All calls, in the order of their arrival.
    var all: [Call] { calls(calls.ids) }

    /// The calls with a request id, in the order of their arrival.
    func calls(withID id: RequestID) -> [Call] {
        guard let ids = idsByRequest[id] else { return [] }
        return calls((ids.first.map { [$0] } ?? []) + ids.others)
    }

    private func calls(_ ids: [CallID]) -> [Call] {
        ids.compactMap { calls[$0]?.call }.sorted { $0.number < $1.number }
    }
}
