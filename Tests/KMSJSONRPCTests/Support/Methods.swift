import KMSJSON
import KMSJSONRPC
import KMSPlatform

/// Answers with its parameters, from `start`.
struct Echo: Method {
    let name = "echo"

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        call.succeed { $0.value(params?.value) }
    }
}

/// Answers with its parameters, on the hot path; notifications and members of batches from `start`.
struct FastEcho: Method {
    let name = "fast"

    func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)? {
        params.map { Copy(bytes: Array($0.ownBytes)) }
    }

    private struct Copy: ReadyResult {
        let bytes: [UInt8]

        func append(to json: inout [UInt8]) { json.append(contentsOf: bytes) }
    }

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        call.succeed { $0.value(params?.value) }
    }
}

/// Answers with its parameters, from another thread.
struct ThreadEcho: Method {
    let name = "thread"

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        let params = params?.value
        do {
            try Thread.start(name: "echo") { call.succeed { $0.value(params) } }
        } catch {
            throw .internalError("\(error)")
        }
    }
}

struct Failing: Method {
    static let error = RPCError.invalidParams("x", "is never right")
    let name = "fail"

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) { throw Self.error }
}

/// Answers with as many bytes as `params[0]` says.
struct Large: Method {
    let name = "large"

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        let count = params?.value.elements?.first?.integer ?? 0
        call.succeed { $0.value(String(repeating: "x", count: count)) }
    }
}

/// Answers when it is told to.
final class Held: Method {
    let name = "held"
    /// An event for each call that was started.
    let started = Signal()
    /// An event for each call whose work was aborted.
    let aborted = Signal()
    private let calls = Lock<[Call]>([])
    private let abortions = Lock<[String]>([])

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        calls.withLock { $0.append(call) }
        call.onCancellation { [self] in
            abortions.withLock { $0.append(Self.text(of: call.id)) }
            aborted.fire()
        }
        started.fire()
    }

    /// All calls that were started, in order.
    var all: [Call] { calls.withLock { $0 } }

    /// The ids of the calls whose work was aborted, in order.
    var abortedIDs: [String] { abortions.withLock { $0 } }

    /// Answers the call with the given place in the order of arrival.
    func release(_ index: Int) { all[index].succeed { $0.value("released") } }

    /// Lets go of the calls, which hold the connection, which holds this.
    func forget() { calls.withLock { $0 = [] } }

    private static func text(of id: [UInt8]?) -> String { id.map { String(decoding: $0, as: UTF8.self) } ?? "none" }
}
