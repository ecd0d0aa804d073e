import JSON
import Platform

/// One call of a method, from its arrival to its end. Notifications are calls, too: their answers go nowhere.
public final class Call: Sendable {
    /// When the request was read.
    public let arrival: Instant
    /// The id as it was written; nil for a notification.
    public var id: [UInt8]? { requestID?.text }

    /// Numbers calls from 0 in the order of their arrival.
    let number: Int
    let requestID: RequestID?
    let place: AnswerPlace
    private let connection: Connection

    init(
        _ number: Int, id: RequestID?, arrival: Instant, place: AnswerPlace,
        connection: Connection
    ) {
        self.number = number
        requestID = id
        self.arrival = arrival
        self.place = place
        self.connection = connection
    }

    /// The id as a log shows it: its beginning if it is long; nil for a notification.
    public var label: String? {
        guard let id else { return nil }
        guard id.count > Self.labelBytes else { return String(decoding: id, as: UTF8.self) }
        // One character more than it shows, so that none is cut.
        let text = String(decoding: id.prefix(Self.labelBytes + 4), as: UTF8.self)
        return "\(text.prefix(utf8Bytes: Self.labelBytes))…"
    }

    /// A log line is for reading; an id may be as long as a message.
    private static let labelBytes = 64

    /// Answers with a result: exactly one JSON value that `result` writes. Does nothing if the call has ended.
    public func succeed(_ result: (inout JSONWriter) -> Void) {
        connection.finish(self, error: nil, result)
    }

    /// Answers with a result that is JSON already: exactly one value. Does nothing if the call has ended.
    public func succeed(json: [UInt8]) {
        connection.finish(self, error: nil, json)
    }

    /// Answers with an error. Does nothing if the call has ended.
    public func fail(_ error: RPCError) {
        connection.finish(self, error: error) { $0.value(error) }
    }

    /// What the connection has done so far; this call is among those in flight.
    public var connectionCounters: ConnectionCounters { connection.counters }

    /// Has `abort` run once if the call ends before it was answered: cancelled, or refused at a shutdown. At once if
    /// the call has ended already, however it did.
    public func onCancellation(_ abort: @escaping @Sendable () -> Void) {
        connection.onCancellation(of: self, abort)
    }
}

/// Where an answer goes.
enum AnswerPlace: Sendable {
    case single
    /// A place in the answer to a batch.
    case batch(Int, slot: Int)
}
