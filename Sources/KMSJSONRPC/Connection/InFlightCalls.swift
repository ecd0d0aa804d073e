import KMSJSON
import KMSPlatform

/// The id of a request: the bytes to answer with, and what cancels compare.
///
/// Strings are compared by their characters, numbers as they are written. Ids of different dialects are different ids.
struct RequestID: Hashable, Sendable {
    /// As it was written.
    let text: [UInt8]
    /// The same without escapes. A string begins with its quote, which keeps it apart from other kinds.
    private let key: [UInt8]
    private let dialect: Int?

    /// - Parameters:
    ///   - token: a string, a number or null.
    ///   - dialect: its number; nil for JSON-RPC itself.
    init(_ token: JSONToken, in bytes: UnsafeBufferPointer<UInt8>, dialect: Int? = nil) {
        self.dialect = dialect
        text = Array(bytes[token.range])
        key = token.hasEscapes ? [UInt8(ascii: "\"")] + token.decoded(from: bytes) + [UInt8(ascii: "\"")] : text
    }

    static func == (left: RequestID, right: RequestID) -> Bool {
        left.dialect == right.dialect
            && left.key.withUnsafeBufferPointer { left in right.key.withUnsafeBufferPointer(left.hasSameBytes) }
    }

    /// Seeded by the process, so that nobody can choose ids that fall together.
    func hash(into hasher: inout Hasher) {
        key.withUnsafeBytes { hasher.combine(bytes: $0) }
        hasher.combine(dialect)
    }
}

/// A call that was started and not finished.
struct InFlightCall: Sendable {
    let call: Call
    /// The bytes of its id and parameters.
    let size: Int
    var abort: (@Sendable () -> Void)?
}

typealias CallID = SlotMap<InFlightCall>.ID

/// The calls that were started and not finished, by their own id and by the request's. Each operation costs what its own id
/// and the calls that it is about cost, however many others there are.
struct InFlightCalls: Sendable {
    /// The calls with one request id: nearly always a single one, which takes no memory beside the entry itself.
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

    /// The bytes of their ids and parameters.
    private(set) var bytes = 0

    var count: Int { calls.count }

    /// Adds the call that `make` makes for its id.
    ///
    /// - Parameter size: the bytes of its id and parameters.
    mutating func insert(size: Int, _ make: (CallID) -> Call) -> Call {
        let call = make(calls.nextID)
        let id = calls.insert(InFlightCall(call: call, size: size))
        bytes += size
        if let request = call.requestID { idsByRequest[request, default: CallIDs()].insert(id) }
        return call
    }

    /// Takes a call out; nil if it has ended before.
    mutating func remove(_ call: Call) -> InFlightCall? {
        guard let ended = calls.remove(call.callID) else { return nil }
        bytes -= ended.size
        if let request = call.requestID, let index = idsByRequest.index(forKey: request) {
            // In place: copying a large set for each of many calls would take time that grows with their square.
            idsByRequest.values[index].remove(call.callID)
            if idsByRequest.values[index].isEmpty { idsByRequest.remove(at: index) }
        }
        return ended
    }

    /// Takes all of them out, in the order of their arrival.
    mutating func removeAll() -> [InFlightCall] {
        idsByRequest = [:]
        bytes = 0
        return calls.removeAll().sorted { $0.call.number < $1.call.number }
    }

    /// What to run if the call ends unanswered; false if it has ended.
    mutating func setAbort(of call: Call, _ abort: @escaping @Sendable () -> Void) -> Bool {
        guard calls[call.callID] != nil else { return false }
        calls[call.callID]?.abort = abort
        return true
    }

    /// All of them, in the order of their arrival.
    var all: [Call] { calls(calls.ids) }

    /// Those with an id, in the order of their arrival.
    func calls(withID id: RequestID) -> [Call] {
        guard let ids = idsByRequest[id] else { return [] }
        return calls((ids.first.map { [$0] } ?? []) + ids.others)
    }

    private func calls(_ ids: [CallID]) -> [Call] {
        ids.compactMap { calls[$0]?.call }.sorted { $0.number < $1.number }
    }
}
