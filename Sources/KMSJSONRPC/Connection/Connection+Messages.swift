import KMSJSON
import KMSPlatform

/// A batch whose members are being started, as fast as the limits allow.
struct BatchCursor {
    let id: BatchID
    /// The range of the batch in the input, and how much to consume after its last member.
    let range: Range<Int>
    let consumed: Int
    /// The end of the last member that was started, relative to the start of the batch.
    var offset: Int
}

/// From a frame to a method call.
extension Connection {
    /// Handles one frame, which starts at the offset `start` of the input.
    func dispatch(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, consumed: Int) {
        var scanner = JSONScanner(bytes)
        scanner.skipWhiteSpace()
        do {
            if scanner.nextKind == .array {
                try beginBatch(scanner, from: start, consumed: consumed)
                if batch == nil { input.consume(consumed) }
                return
            }
            let message = try MessageReader.read(&scanner)
            try scanner.expectEnd()
            handle(message, in: bytes, batch: nil)
        } catch {
            refuse(.parseError(error))
        }
        input.consume(consumed)
    }

    /// Answers with an error and `id: null`.
    func refuse(_ error: RPCError) {
        received += 1
        configuration.report(.refused(error))
        answer("null".utf8, at: .single, isError: true, failure: error) { $0.append(json: error) }
    }

    // MARK: Batches

    /// Checks a batch as a whole; `startNextMember` starts its members.
    private func beginBatch(
        _ start: consuming JSONScanner, from frameStart: Int, consumed: Int
    ) throws(JSONError) {
        var scanner = start
        try scanner.enter()
        let firstMember = scanner.offset
        var count = 0
        while try scanner.nextElement() != nil { count += 1 }
        let end = scanner.offset
        try scanner.expectEnd()

        let maximum = configuration.maximumBatchCount
        guard count > 0 else { return refuse(.invalidRequest("a batch must have at least one member")) }
        guard count <= maximum else {
            let name = configuration.limitNames.batchCount
            return refuse(.invalidRequest("a batch of \(count) members exceeds \(name), \(maximum)"))
        }
        batch = BatchCursor(
            id: answers.beginBatch(), range: frameStart..<(frameStart + end), consumed: consumed, offset: firstMember)
    }

    /// - Returns: how many bytes of the batch it has handled.
    func startNextMember() -> Int {
        guard var cursor = batch else { return 0 }
        let start = cursor.offset
        let bytes = UnsafeBufferPointer(rebasing: input.bytes[cursor.range])
        var scanner = JSONScanner(bytes, at: cursor.offset)
        // Never throws: the batch was checked as a whole.
        if let member = try? scanner.nextElement() {
            cursor.offset = scanner.offset
            batch = cursor
            var memberScanner = JSONScanner(bytes, at: member.start)
            if let message = try? MessageReader.read(&memberScanner) {
                handle(message, in: bytes, batch: cursor.id)
            }
        } else {
            batch = nil
            input.consume(cursor.consumed)
            answers.seal(cursor.id)
        }
        return cursor.offset - start
    }

    // MARK: Messages

    private func handle(_ message: Message, in bytes: UnsafeBufferPointer<UInt8>, batch: BatchID?) {
        switch message {
        case .response:
            configuration.report(.responseDropped)
        case .invalid(let error, let id):
            received += 1
            configuration.report(.refused(error))
            fail(id, in: bytes, batch, error)
        case .notification(let request), .request(let request):
            received += 1
            do {
                try handle(request, in: bytes, batch: batch)
            } catch {
                if request.id == nil {
                    configuration.report(.notificationDropped(error))
                } else {
                    fail(request.id, in: bytes, batch, error)
                }
            }
        }
    }

    private func handle(
        _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, batch: BatchID?
    ) throws(RPCError) {
        if request.meta != nil, try interpret(request, in: bytes, batch: batch) { return }
        if let method = SessionMethod(request.method, in: bytes) {
            return try obey(method, request, in: bytes, batch: batch)
        }
        let method = methods.method(named: request.method, in: bytes)
        if method == nil, request.meta == nil, try interpret(request, in: bytes, batch: batch) { return }
        guard !lifecycle.refusesRequests else { throw .shuttingDown }
        guard let method else {
            throw .methodNotFound(String(decoding: request.method.decoded(from: bytes), as: UTF8.self))
        }
        let params = request.params.map { RawParameters(bytes: bytes, token: $0) }
        if batch == nil, let id = request.id, let result = method.answerAtOnce(params, arrival: arrival) {
            let id = UnsafeBufferPointer(rebasing: bytes[id.range])
            return answer(id, at: .single, isError: false, failure: nil) { result.append(to: &$0) }
        }
        start(method, params, for: request, in: bytes, batch: batch, nil)
    }

    private func start(
        _ method: any Method, _ params: RawParameters?, for request: Message.Request,
        in bytes: UnsafeBufferPointer<UInt8>, batch: BatchID?, _ dialect: CallDialect?
    ) {
        let size = (request.id?.range.count ?? 0) + (request.params?.range.count ?? 0)
        let place = request.id == nil ? .single : answers.place(in: batch)
        let id = request.id.map { RequestID($0, in: bytes, dialect: dialect?.number) }
        let call = beginCall(id: id, size: size, place: place, dialect)
        do {
            try method.start(call, params)
        } catch {
            call.fail(error)
        }
    }

    /// Answers with an error at once, with `id: null` if there is no usable id.
    private func fail(_ id: JSONToken?, in bytes: UnsafeBufferPointer<UInt8>, _ batch: BatchID?, _ error: RPCError) {
        let place = answers.place(in: batch)
        if let id {
            let id = UnsafeBufferPointer(rebasing: bytes[id.range])
            answer(id, at: place, isError: true, failure: error) { $0.append(json: error) }
        } else {
            answer("null".utf8, at: place, isError: true, failure: error) { $0.append(json: error) }
        }
    }

    // MARK: Dialects

    /// Handles a message that belongs to a dialect; false if it belongs to none.
    private func interpret(
        _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, batch: BatchID?
    ) throws(RPCError) -> Bool {
        let raw = RawRequest(
            isNotification: request.id == nil, method: RawValue(request.method, in: bytes),
            params: request.params.map { RawParameters(bytes: bytes, token: $0) },
            meta: request.meta.map { RawValue($0, in: bytes) })
        for (number, dialect) in dialects.enumerated() {
            let meaning: Interpretation?
            do {
                meaning = try dialect.interpret(raw)
            } catch {
                meaning = .answer(.error(error))
            }
            guard let meaning else { continue }
            try obey(meaning, of: dialect, number, request, in: bytes, batch: batch)
            return true
        }
        return false
    }

    private func obey(
        _ meaning: Interpretation, of dialect: any Dialect, _ number: Int, _ request: Message.Request,
        in bytes: UnsafeBufferPointer<UInt8>, batch: BatchID?
    ) throws(RPCError) {
        if case .cancellation(let id) = meaning {
            return drop(inFlight.calls(withID: RequestID(id.token, in: id.bytes, dialect: number)))
        }
        if lifecycle.isStopped, dialect.isSilentAtStop { return }
        switch meaning {
        case .ignored, .cancellation: return
        case .answer(let answer):
            guard !lifecycle.refusesRequests else { throw .shuttingDown }
            self.answer(request, in: bytes, batch, answer)
        case .call(let method, let params, let form):
            if lifecycle.refusesRequests {
                return answer(request, in: bytes, batch, form.answer(to: .failure(.shuttingDown)))
            }
            if batch == nil, request.id != nil, let result = method.answerAtOnce(params, arrival: arrival) {
                var json: [UInt8] = []
                result.append(to: &json)
                return answer(request, in: bytes, nil, form.answer(to: .success(json)))
            }
            let dialect = CallDialect(number: number, isSilentAtStop: dialect.isSilentAtStop, form: form)
            start(method, params, for: request, in: bytes, batch: batch, dialect)
        }
    }

    private func answer(
        _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, _ batch: BatchID?, _ answer: Answer
    ) {
        guard let id = request.id else { return }
        self.answer(
            UnsafeBufferPointer(rebasing: bytes[id.range]), at: answers.place(in: batch), isError: answer.isError,
            failure: answer.failure
        ) { $0.append(contentsOf: answer.json) }
    }

    /// Sends a progress report, unless the call has ended.
    func report(of call: Call, _ message: String, total: Int) {
        loop.checkIsolated()
        guard let number = inFlight.countReport(of: call),
            let json = call.dialect?.form.notification(
                of: CallProgress(number: number, total: total, message: message))
        else { return }
        answers.add(message: json)
        loop.run(self)
    }

    // MARK: Requests about the connection itself

    private func obey(
        _ method: SessionMethod, _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, batch: BatchID?
    ) throws(RPCError) {
        let params = request.params.map { RawParameters(bytes: bytes, token: $0) }
        switch method {
        case .cancelRequest:
            let id = try Parameters(params, names: method.parameterNames).requiredToken("id")
            guard [.string, .number, .null].contains(id.kind) else {
                throw .invalidParams("id", "must be a request id: a string, a number or null")
            }
            end(inFlight.calls(withID: RequestID(id, in: bytes)), with: .requestCancelled)
        case .shutdown:
            guard !lifecycle.refusesRequests else { throw .shuttingDown }
            _ = try Parameters(params, names: method.parameterNames)
            lifecycle.shutDown(now: configuration.clock.now)
        case .exit:
            lifecycle.exit()
        }
        answer(request, in: bytes, batch, .result(Array("null".utf8)))
    }
}

extension [UInt8] {
    /// Appends a value as JSON.
    mutating func append(json value: some JSONWritable) {
        var json = JSONWriter(appendingTo: self.take())
        json.value(value)
        self = json.bytes
    }

    /// Moves the bytes out, leaving none here, so that the caller can append without copying.
    fileprivate mutating func take() -> [UInt8] {
        defer { self = [] }
        return self
    }
}
