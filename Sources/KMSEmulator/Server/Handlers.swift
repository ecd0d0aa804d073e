import CMicrohttpd
import Platform

/// What libmicrohttpd calls, all on its one thread. `context` is the `Server`; each connection has its `Exchange`.
enum Handlers {
    /// A connection was opened or is about to be closed.
    static let connection: MHD_NotifyConnectionCallback = { context, connection, socketContext, event in
        guard let server = Server.of(context), let connection, let socketContext else { return }
        if event == .CONNECTION_NOTIFY_STARTED {
            let socket = cmicrohttpd_socket(connection)
            let exchange = Exchange(number: server.core.connectionOpened(socket: socket), socket: socket)
            socketContext.pointee = Unmanaged.passRetained(exchange).toOpaque()
        } else if let pointer = socketContext.pointee {
            let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
            socketContext.pointee = nil
            server.core.connectionClosed(exchange.number)
        }
    }

    /// The request line was read. What it returns comes to `request` and `completed` as the request's context.
    static let requestLine:
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
        ) -> UnsafeMutableRawPointer? = { _, target, connection in
            guard let target, let connection, let pointer = cmicrohttpd_socket_context(connection) else { return nil }
            Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue().begin(target: String(cString: target))
            return pointer
        }

    /// The headers are there; then for each part of the body; then once more at its end, and after each suspension.
    static let request: MHD_AccessHandlerCallback = {
        context, connection, _, method, _, upload, uploadCount, requestContext in
        guard let server = Server.of(context), let connection, let method, let uploadCount,
            let exchange = Exchange.of(requestContext?.pointee)
        else { return .NO }
        switch exchange.phase {
        case .started:
            return server.headersArrived(exchange, connection, method: String(cString: method))
        case .receiving where uploadCount.pointee > 0:
            upload?.withMemoryRebound(to: UInt8.self, capacity: uploadCount.pointee) { bytes in
                exchange.receive(UnsafeBufferPointer(start: bytes, count: uploadCount.pointee))
            }
            uploadCount.pointee = 0
            return .YES
        case .receiving, .waiting:
            return server.requestArrived(exchange, connection)
        case .answering:
            return .YES
        }
    }

    /// The request has ended, one way or the other.
    static let completed: MHD_RequestCompletedCallback = { context, _, requestContext, reason in
        guard let server = Server.of(context), let exchange = Exchange.of(requestContext?.pointee) else { return }
        // Nil for control requests, and for those that ended before their headers were there.
        guard exchange.schedule != nil else { return }
        let isComplete =
            reason == .REQUEST_TERMINATED_COMPLETED_OK || reason == .REQUEST_TERMINATED_DAEMON_SHUTDOWN
        // Those to the metadata service count nowhere.
        let isAborted = exchange.plan != nil && !isComplete && !exchange.isCutOff
        server.core.requestEnded(on: exchange.number, isAborted: isAborted)
        exchange.schedule = nil
        exchange.plan = nil
    }
}

extension Server {
    fileprivate static func of(_ context: UnsafeMutableRawPointer?) -> Server? {
        context.map { Unmanaged<Server>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A body that is announced to be longer is refused before it is sent; shorter ones are read to their end, so that
    /// the connection can go on.
    private static let maximumDroppedBytes = 1 << 20

    fileprivate func headersArrived(
        _ exchange: Exchange, _ connection: OpaquePointer, method: String
    ) -> MHD_Result {
        func header(_ name: String) -> String? {
            MHD_lookup_connection_value(connection, .HEADER_KIND, name).map { String(cString: $0) }
        }
        exchange.phase = .receiving
        exchange.head.method = method
        switch exchange.route {
        case .control:
            core.controlRequestBegan(on: exchange.number)
            exchange.maximumBodyBytes = Control.maximumBodyBytes
        case .serverRole where core.servesMetadata:
            exchange.schedule = core.serverRoleRequestBegan(
                on: exchange.number, exchange.head, headers: Self.headers(of: connection))
        default:
            exchange.head.timestamp = header(HeaderName.timestamp)
            exchange.head.accessKey = header(HeaderName.accessKey)
            exchange.head.signature = header(HeaderName.signature)
            exchange.head.token = header(HeaderName.token)
            var keyTag: String?
            if case .getPublicKey(let tag) = exchange.route { keyTag = tag }
            (exchange.plan, exchange.schedule) = core.requestBegan(
                on: exchange.number, exchange.head, headers: Self.headers(of: connection), keyTag: keyTag)
        }
        if let length = header("Content-Length").flatMap({ UInt64($0) }),
            length > UInt64(max(Self.maximumDroppedBytes, exchange.maximumBodyBytes))
        {
            exchange.isBodyTooLarge = true
            return send(answer(exchange), exchange, connection)
        }
        return .YES
    }

    fileprivate func requestArrived(_ exchange: Exchange, _ connection: OpaquePointer) -> MHD_Result {
        guard let delay = exchange.schedule?.delay else { return send(answer(exchange), exchange, connection) }
        let faults = exchange.plan?.faults ?? FaultPlan.Outcome()
        // It may never be answered.
        if exchange.phase == .receiving, faults.isFault || delay > .zero { record(exchange, status: nil) }
        if exchange.phase == .receiving, faults.ending == .hang || delay > .zero {
            exchange.phase = .waiting
            let duration = faults.ending == .hang ? nil : delay
            let isWaiting = suspensions.suspend(
                exchange.number, connection, socket: exchange.socket, for: duration)
            exchange.isCutOff = !isWaiting
            return isWaiting ? .YES : .NO
        }
        if exchange.phase == .waiting {
            switch suspensions.outcome(of: exchange.number) {
            case .elapsed: break
            case .clientWentAway: return .NO
            case .stopped, nil:
                exchange.isCutOff = true
                return .NO
            }
        }

        switch faults.ending {
        case .answer(let answer):
            return send(answer, exchange, connection)
        case .close, .hang:
            exchange.isCutOff = true
            return .NO
        case .reset(inBody: false):
            exchange.isCutOff = true
            TCPReset.send(on: exchange.socket)
            return .NO
        case .reset(inBody: true):
            return send(answer(exchange), exchange, connection, bodyEnds: .reset)
        case .truncate:
            return send(answer(exchange), exchange, connection, bodyEnds: .close)
        case .trickle(let interval):
            return send(answer(exchange), exchange, connection, bodyEnds: .trickle(.milliseconds(interval)))
        case nil:
            return send(answer(exchange), exchange, connection)
        }
    }

    private static func headers(of connection: OpaquePointer) -> RecordedHeaders {
        var headers = RecordedHeaders()
        headers.reserve()
        withUnsafeMutablePointer(to: &headers) { pointer in
            // Calls for each header before it returns.
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

    private func record(_ exchange: Exchange, status: Int?) {
        guard let schedule = exchange.schedule else { return }
        core.requestArrived(schedule.record, body: exchange.isBodyTooLarge ? nil : exchange.body, status: status)
    }

    private func answer(_ exchange: Exchange) -> Answer {
        switch exchange.route {
        case .control(let name, let query):
            return control.answer(
                method: exchange.head.method, name: name, query: query,
                body: exchange.isBodyTooLarge ? nil : exchange.body)
        case .serverRole(let roleID):
            if let answer = core.serverRoleAnswer(to: exchange.head, roleID: roleID) { return answer }
        default: break
        }
        guard let plan = exchange.plan else { return Refusal.Gateway.unexpectedError.answer(details: "No plan.") }
        let body = exchange.isBodyTooLarge ? KeyService.Body.tooLarge : .bytes(exchange.body)
        return core.answer(to: exchange.head, route: exchange.route, body: body, plan: plan)
    }

    private func send(
        _ answer: Answer, _ exchange: Exchange, _ connection: OpaquePointer, bodyEnds end: FaultyBody.End? = nil
    ) -> MHD_Result {
        exchange.phase = .answering
        record(exchange, status: answer.status)
        let response: OpaquePointer? =
            if let end {
                FaultyBody.response(answer.body, end, exchange, connection, suspensions)
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
        add("Date", dates.text(wallClockMilliseconds: core.wallClockMilliseconds(exchange.plan)))
        // Not for control requests, of which a run may have any number: a seed is to give the others the same ids again.
        if exchange.plan != nil { add(HeaderName.requestID, requestIDs.next()) }
        if exchange.plan?.faults.closesConnection == true { add("Connection", "close") }
        return MHD_queue_response(connection, UInt32(answer.status), response)
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The bytes of a C string without its NUL; empty for null.
    fileprivate init(cString: UnsafePointer<CChar>?) {
        let start = cString.map { UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self) }
        self.init(start: start, count: cString.map { strlen($0) } ?? 0)
    }
}

extension Exchange {
    fileprivate static func of(_ context: UnsafeMutableRawPointer?) -> Exchange? {
        context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
    }
}
