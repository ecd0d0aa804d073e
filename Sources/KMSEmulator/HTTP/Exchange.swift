import CKMSMicrohttpd
import KMSPlatform

/// One connection and its current request, from the request line to the answer. Used only on the server's thread.
///
/// libmicrohttpd calls `begin`, `headersArrived`, `receive` for each part of a body, `requestArrived` and
/// `requestEnded`; then `begin` for the connection's next request.
final class Exchange {
    enum Phase {
        /// The request line has been read, the headers have not.
        case started
        case receiving
        /// The request is complete, and its answer is delayed.
        case waiting
        case answering
    }

    private let server: Server
    private let connection: OpaquePointer
    let socket: Int32
    private let number: Int

    private(set) var phase = Phase.started
    private var head = RequestHead(method: "", target: "")
    private var route = Route.unknown
    private var body: [UInt8] = []
    /// The maximum size of a body; a longer one is read and dropped.
    private var maximumBodyBytes = KeyService.maximumBodyBytes
    private var isBodyTooLarge = false
    /// Nil for control requests.
    private var schedule: EmulatorCore.Schedule?
    /// Nil for control requests and for those to the metadata service.
    private var plan: EmulatorCore.Plan?
    /// Whether a fault or the end of the server cut the request off, so it does not count as aborted by the client.
    var isCutOff = false

    /// A body with a larger `Content-Length` is refused before it is sent. Smaller ones are read to their end, so that
    /// the connection can be reused.
    private static let maximumDroppedBytes = 1 << 20

    /// A new connection.
    init(_ connection: OpaquePointer, of server: Server) {
        self.server = server
        self.connection = connection
        socket = cmicrohttpd_socket(connection)
        number = server.core.connectionOpened(socket: socket)
    }

    func connectionClosed() { server.core.connectionClosed(number) }

    // MARK: The request

    /// The connection's next request starts.
    func begin(target: String) {
        phase = .started
        head.target = target
        route = Route(target: target)
        body.removeAll(keepingCapacity: true)
        maximumBodyBytes = KeyService.maximumBodyBytes
        isBodyTooLarge = false
        schedule = nil
        plan = nil
        isCutOff = false
    }

    func headersArrived(method: String) -> MHD_Result {
        phase = .receiving
        head.method = method
        switch route {
        case .control:
            server.core.controlRequestBegan(on: number)
            maximumBodyBytes = Control.maximumBodyBytes
        case .serverRole where server.core.servesMetadata:
            schedule = server.core.serverRoleRequestBegan(on: number, head, headers: recordedHeaders)
        default:
            head.timestamp = header(HeaderName.timestamp)
            head.accessKey = header(HeaderName.accessKey)
            head.signature = header(HeaderName.signature)
            head.token = header(HeaderName.token)
            var keyTag: String?
            if case .getPublicKey(let tag) = route { keyTag = tag }
            (plan, schedule) = server.core.requestBegan(on: number, head, headers: recordedHeaders, keyTag: keyTag)
        }
        if let length = header("Content-Length").flatMap({ UInt64($0) }),
            length > UInt64(max(Self.maximumDroppedBytes, maximumBodyBytes))
        {
            isBodyTooLarge = true
            return send(answer())
        }
        return .YES
    }

    private func header(_ name: String) -> String? {
        MHD_lookup_connection_value(connection, .HEADER_KIND, name).map { String(cString: $0) }
    }

    private var recordedHeaders: RecordedHeaders {
        var headers = RecordedHeaders()
        headers.reserve()
        withUnsafeMutablePointer(to: &headers) { pointer in
            // The closure is called for each header before this returns.
            _ = MHD_get_connection_values(
                connection, .HEADER_KIND,
                { context, _, name, value in
                    guard let context, let name else { return .YES }
                    context.assumingMemoryBound(to: RecordedHeaders.self).pointee.append(
                        name: UnsafeBufferPointer(cString: name), value: UnsafeBufferPointer(cString: value))
                    return .YES
                }, pointer)
        }
        return headers
    }

    func receive(_ bytes: UnsafeBufferPointer<UInt8>) {
        if body.count + bytes.count > maximumBodyBytes {
            isBodyTooLarge = true
            body.removeAll()
        }
        if !isBodyTooLarge { body.append(contentsOf: bytes) }
    }

    // MARK: Faults

    /// The request is complete, or the delay of its answer is over.
    func requestArrived() -> MHD_Result {
        guard let delay = schedule?.delay else { return send(answer()) }
        let faults = plan?.faults ?? FaultPlan.Outcome()
        if phase == .receiving {
            let isDelayed = faults.ending == .hang || delay > .zero
            // Recorded now, because it may never be answered.
            if faults.isFault || isDelayed { record(status: nil) }
            if isDelayed {
                phase = .waiting
                return suspend(for: faults.ending == .hang ? nil : delay) ? .YES : .NO
            }
        } else if phase == .waiting {
            switch resumption() {
            case .elapsed: break
            case .clientWentAway: return .NO
            case .stopped, nil:
                isCutOff = true
                return .NO
            }
        }

        switch faults.ending {
        case nil:
            return send(answer())
        case .answer(let answer):
            return send(answer)
        case .body(let ending):
            return send(answer(), ending)
        case .reset:
            isCutOff = true
            TCPReset.send(on: socket)
            return .NO
        case .close, .hang:
            isCutOff = true
            return .NO
        }
    }

    /// Suspends the connection. When libmicrohttpd calls again, `resumption` says why.
    ///
    /// - Parameter duration: nil waits until the client disconnects or the server stops.
    /// - Returns: false, without an effect, if the server is stopping.
    func suspend(for duration: Duration?) -> Bool {
        let isSuspended = server.suspensions.suspend(number, connection, socket: socket, for: duration)
        if !isSuspended { isCutOff = true }
        return isSuspended
    }

    /// Why the connection was resumed; nil if it was not suspended.
    func resumption() -> Suspensions.Outcome? { server.suspensions.outcome(of: number) }

    // MARK: The answer

    private func answer() -> Answer {
        switch route {
        case .control(let name, let query):
            return server.control.answer(
                method: head.method, name: name, query: query, body: isBodyTooLarge ? nil : body)
        case .serverRole(let roleID):
            if let answer = server.core.serverRoleAnswer(to: head, roleID: roleID) { return answer }
        default: break
        }
        guard let plan else { return Refusal.Gateway.unexpectedError.answer(details: "No plan.") }
        return server.core.answer(to: head, route: route, body: isBodyTooLarge ? .tooLarge : .bytes(body), plan: plan)
    }

    /// - Parameter ending: nil sends the body properly.
    private func send(_ answer: Answer, _ ending: Fault.BodyEnding? = nil) -> MHD_Result {
        phase = .answering
        record(status: answer.status)
        let response: OpaquePointer? =
            if let ending {
                FaultyBody.response(answer.body, ending, self)
            } else {
                answer.body.withUnsafeBytes { bytes in
                    MHD_create_response_from_buffer(
                        bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
                }
            }
        guard let response else { return .NO }
        defer { MHD_destroy_response(response) }

        for header in answer.headers { MHD_add_response_header(response, header.name, header.value) }
        func add(_ name: String, _ value: String) {
            guard answer.headers.isEmpty || MHD_get_response_header(response, name) == nil else { return }
            MHD_add_response_header(response, name, value)
        }
        if let contentType = answer.contentType { add("Content-Type", contentType) }
        // Before `Date`: libmicrohttpd 0.9.75 forgets at this header that there is a `Date`, and adds its own, which is not
        // skewed.
        if plan?.faults.closesConnection == true { add("Connection", "close") }
        add("Date", server.dates.text(wallClockMilliseconds: server.core.wallClockMilliseconds(plan)))
        // Not for control requests: with `--random-seed` the others get the same ids, however many control requests
        // there are.
        if plan != nil { add(HeaderName.requestID, server.requestIDs.next()) }
        return MHD_queue_response(connection, UInt32(answer.status), response)
    }

    private func record(status: Int?) {
        guard let schedule else { return }
        server.core.requestArrived(schedule.record, body: isBodyTooLarge ? nil : body, status: status)
    }

    /// - Parameter isComplete: whether the complete answer was sent, or the server has stopped.
    func requestEnded(isComplete: Bool) {
        // Nil for control requests, and for those that ended before their headers arrived.
        guard schedule != nil else { return }
        // Requests to the metadata service, which have no plan, are not counted.
        server.core.requestEnded(on: number, isAborted: plan != nil && !isComplete && !isCutOff)
        schedule = nil
        plan = nil
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The bytes of a C string without its NUL; empty for null.
    fileprivate init(cString: UnsafePointer<CChar>?) {
        let start = cString.map { UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self) }
        self.init(start: start, count: cString.map { strlen($0) } ?? 0)
    }
}
