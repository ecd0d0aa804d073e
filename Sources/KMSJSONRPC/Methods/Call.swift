import KMSJSON
import KMSPlatform

/// One call of a method, from its arrival to its end. Notifications are calls, too; their answers are dropped.
public final class Call: Sendable {
    /// When the request was read.
    public let arrival: Instant
    /// The id as written in the request; nil for a notification.
    public var id: [UInt8]? { requestID?.text }

    let callID: CallID
    /// Numbers calls in the order of their arrival.
    let number: Int
    let requestID: RequestID?
    let place: AnswerPlace
    /// The dialect in which it was made; nil for JSON-RPC itself.
    let dialect: CallDialect?
    private let connection: Connection

    init(
        _ callID: CallID, number: Int, id: RequestID?, arrival: Instant, place: AnswerPlace,
        dialect: CallDialect? = nil,
        connection: Connection
    ) {
        self.callID = callID
        self.number = number
        requestID = id
        self.arrival = arrival
        self.place = place
        self.dialect = dialect
        self.connection = connection
    }

    /// The id for a log, cut if it is long; nil for a notification.
    public var label: String? {
        guard let id else { return nil }
        guard id.count > Self.labelBytes else { return String(decoding: id, as: UTF8.self) }
        // Decodes one more character than it shows, so that no character is cut.
        let text = String(decoding: id.prefix(Self.labelBytes + 4), as: UTF8.self)
        return "\(text.prefix(utf8Bytes: Self.labelBytes))…"
    }

    /// A log line is for people; an id may be as long as a message.
    private static let labelBytes = 64

    /// Answers with a result: `result` writes exactly one JSON value. From any thread. Does nothing if the call has
    /// ended.
    public func succeed(_ result: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        result(&json)
        finish(.success(json.bytes))
    }

    /// Answers with a result that is already JSON: exactly one value. From any thread. Does nothing if the call has
    /// ended.
    public func succeed(json: [UInt8]) {
        finish(.success(json))
    }

    /// Answers with an error. From any thread. Does nothing if the call has ended.
    public func fail(_ error: RPCError) {
        finish(.failure(error))
    }

    private func finish(_ outcome: Result<[UInt8], RPCError>) {
        let answer = answer(to: outcome)
        guard !connection.loop.isCurrent else {
            connection.finish(self, answer)
            return
        }
        connection.loop.submit { self.connection.finish(self, answer) }
    }

    func answer(to outcome: Result<[UInt8], RPCError>) -> Answer {
        dialect?.form.answer(to: outcome) ?? Answer(outcome)
    }

    /// Whether the client wants progress reports.
    public var wantsProgress: Bool { dialect?.form.wantsProgress ?? false }

    /// Sends the client a progress report, if it wants any and the call has not ended. On the loop.
    ///
    /// - Parameters:
    ///   - message: what the call is doing, in a few words.
    ///   - total: the expected number of steps.
    public func report(_ message: String, total: Int) {
        guard wantsProgress else { return }
        connection.report(of: self, message, total: total)
    }

    /// The connection's counters; this call is among those in flight. On the loop.
    public var connectionCounters: ConnectionCounters { connection.counters }

    /// Runs `abort` once, on the loop, if the call ends before it is answered: cancelled, or refused at a shutdown. If
    /// the call has already ended, for whatever reason, `abort` runs, too. From any thread.
    public func onCancellation(_ abort: @escaping @Sendable () -> Void) {
        guard !connection.loop.isCurrent else { return connection.onCancellation(of: self, abort) }
        connection.loop.submit { self.connection.onCancellation(of: self, abort) }
    }
}
