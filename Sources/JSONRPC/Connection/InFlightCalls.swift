import JSON

/// The id of a request: the bytes to answer with, and what cancels compare.
///
/// Strings are compared by their characters, numbers as they are written.
struct RequestID: Hashable, Sendable {
    /// As it was written.
    let text: [UInt8]
    /// The same without escapes. A string begins with its quote, which keeps it apart from other kinds.
    private let key: [UInt8]

    /// - Parameter token: a string, a number or null.
    init(_ token: JSONToken, in bytes: UnsafeBufferPointer<UInt8>) {
        text = Array(bytes[token.range])
        key = token.hasEscapes ? [UInt8(ascii: "\"")] + token.decoded(from: bytes) + [UInt8(ascii: "\"")] : text
    }

    static func == (left: RequestID, right: RequestID) -> Bool {
        left.key.withUnsafeBufferPointer { left in right.key.withUnsafeBufferPointer(left.hasSameBytes) }
    }

    /// Seeded by the process, so that nobody can choose ids that fall together.
    func hash(into hasher: inout Hasher) {
        key.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

/// A call that was started and not finished.
struct InFlightCall: Sendable {
    let call: Call
    /// The bytes of its id and parameters.
    let size: Int
    let isLocal: Bool
    var abort: (@Sendable () -> Void)?
}

/// The calls that were started and not finished, by number and by id. Each operation costs what its own id and the calls
/// that it is about cost, however many others there are.
struct InFlightCalls: Sendable {
    /// The calls with one id: nearly always a single one, which takes no memory beside the entry itself.
    private struct Numbers {
        var first: Int?
        var others: Set<Int> = []

        var isEmpty: Bool { first == nil && others.isEmpty }

        mutating func insert(_ number: Int) {
            if isEmpty { first = number } else { others.insert(number) }
        }

        mutating func remove(_ number: Int) {
            if first == number { first = nil } else { others.remove(number) }
        }
    }

    private var calls: [Int: InFlightCall] = [:]
    private var numbersByID: [RequestID: Numbers] = [:]

    /// The bytes of their ids and parameters.
    private(set) var bytes = 0

    var count: Int { calls.count }
    /// Those that wait for nobody (`Method.isLocal`).
    private(set) var localCount = 0

    /// - Parameters:
    ///   - size: the bytes of its id and parameters.
    ///   - isLocal: as `Method.isLocal`.
    mutating func insert(_ call: Call, size: Int, isLocal: Bool = false) {
        calls[call.number] = InFlightCall(call: call, size: size, isLocal: isLocal)
        bytes += size
        if isLocal { localCount += 1 }
        if let id = call.requestID { numbersByID[id, default: Numbers()].insert(call.number) }
    }

    /// Takes a call out; nil if it has ended before.
    mutating func remove(_ call: Call) -> InFlightCall? {
        guard let ended = calls.removeValue(forKey: call.number) else { return nil }
        bytes -= ended.size
        if ended.isLocal { localCount -= 1 }
        if let id = call.requestID, let index = numbersByID.index(forKey: id) {
            // In place: copying a large set for each of many calls would take time that grows with their square.
            numbersByID.values[index].remove(call.number)
            if numbersByID.values[index].isEmpty { numbersByID.remove(at: index) }
        }
        return ended
    }

    /// Takes all of them out, in the order of their arrival.
    mutating func removeAll() -> [InFlightCall] {
        defer { self = InFlightCalls() }
        return calls.values.sorted { $0.call.number < $1.call.number }
    }

    /// What to run if the call ends unanswered; false if it has ended.
    mutating func setAbort(of call: Call, _ abort: @escaping @Sendable () -> Void) -> Bool {
        guard let index = calls.index(forKey: call.number) else { return false }
        calls.values[index].abort = abort
        return true
    }

    /// All of them, in the order of their arrival.
    var all: [Call] {
        calls.values.map(\.call).sorted { $0.number < $1.number }
    }

    /// Those with an id, in the order of their arrival.
    func calls(withID id: RequestID) -> [Call] {
        guard let numbers = numbersByID[id] else { return [] }
        let sorted = ((numbers.first.map { [$0] } ?? []) + numbers.others).sorted()
        return sorted.compactMap { calls[$0]?.call }
    }
}
