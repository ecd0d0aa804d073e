import JSON
import Platform

/// A batch whose members are being started, as far as the limits allow.
struct BatchCursor {
    /// Its key in `Connection.State.batches`.
    let number: Int
    /// Where the batch lies in the input, and how much to consume after its last member.
    let range: Range<Int>
    let consumed: Int
    /// The end of the last member that was started, from the start of the batch.
    var offset: Int
}

extension ConnectionLoop {
    /// Deals with one frame, which lies `start` bytes into the input.
    mutating func dispatch(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, consumed: Int) {
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

    /// Answers with an error to nobody in particular.
    mutating func refuse(_ error: RPCError) {
        answerCounters.received += 1
        connection.configuration.report(.refused(error))
        answer(nil, in: UnsafeBufferPointer(start: nil, count: 0), batch: nil, error)
    }

    // MARK: Batches

    /// Checks a batch as a whole; `startNextMember` does the rest.
    private mutating func beginBatch(
        _ start: consuming JSONScanner, from frameStart: Int, consumed: Int
    ) throws(JSONError) {
        var scanner = start
        try scanner.enter()
        let firstMember = scanner.offset
        var count = 0
        while try scanner.nextElement() != nil { count += 1 }
        let end = scanner.offset
        try scanner.expectEnd()

        let maximum = connection.configuration.maximumBatchCount
        guard count > 0 else { return refuse(.invalidRequest("a batch has at least one member")) }
        guard count <= maximum else {
            let name = connection.configuration.limitNames.batchCount
            return refuse(.invalidRequest("a batch of \(count) is longer than \(name), \(maximum)"))
        }
        let number = takeNumber()
        connection.state.withLock { $0.batches[number] = BatchAnswers() }
        batch = BatchCursor(
            number: number, range: frameStart..<(frameStart + end), consumed: consumed, offset: firstMember)
    }

    /// - Returns: the bytes of the batch that it has dealt with.
    mutating func startNextMember() -> Int {
        guard var cursor = batch else { return 0 }
        let start = cursor.offset
        let bytes = UnsafeBufferPointer(rebasing: input.bytes[cursor.range])
        var scanner = JSONScanner(bytes, at: cursor.offset)
        // Nothing can be thrown: the batch was checked as a whole.
        if let member = try? scanner.nextElement() {
            cursor.offset = scanner.offset
            batch = cursor
            var memberScanner = JSONScanner(bytes, at: member.start)
            if let message = try? MessageReader.read(&memberScanner) {
                handle(message, in: bytes, batch: cursor.number)
            }
        } else {
            batch = nil
            input.consume(cursor.consumed)
            connection.state.withLock { state in
                state.batches[cursor.number]?.seal()
                state.finishBatch(cursor.number)
            }
        }
        return cursor.offset - start
    }

    // MARK: Messages

    private mutating func handle(_ message: Message, in bytes: UnsafeBufferPointer<UInt8>, batch: Int?) {
        switch message {
        case .response:
            connection.configuration.report(.responseDropped)
        case .invalid(let error, let id):
            answerCounters.received += 1
            connection.configuration.report(.refused(error))
            answer(id, in: bytes, batch: batch, error)
        case .notification(let request), .request(let request):
            answerCounters.received += 1
            do {
                try handle(request, in: bytes, batch: batch)
            } catch {
                fail(request, in: bytes, batch: batch, error)
            }
        }
    }

    private mutating func handle(
        _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, batch: Int?
    ) throws(RPCError) {
        if try handleSession(request, in: bytes, batch: batch) { return }
        guard !lifecycle.refusesRequests else { throw .shuttingDown }
        guard let method = connection.methods.method(named: request.method, in: bytes) else {
            throw .methodNotFound(String(decoding: request.method.decoded(from: bytes), as: UTF8.self))
        }
        let params = request.params.map { RawParameters(bytes: bytes, token: $0) }
        if batch == nil, let id = request.id, answerAtOnce(method, id, params, in: bytes) { return }
        let call = Call(
            takeNumber(), id: request.id.map { RequestID($0, in: bytes) }, arrival: arrival,
            place: place(request.id, batch), connection: connection)
        let size = (request.id?.range.count ?? 0) + (request.params?.range.count ?? 0)
        // With what was counted so far: the call may ask for it.
        connection.register(call, size: size, isLocal: type(of: method).isLocal, adding: answerCounters)
        answerCounters = ConnectionCounters()
        do {
            try method.start(call, params)
        } catch {
            call.fail(error)
        }
    }

    private mutating func answerAtOnce(
        _ method: any Method, _ id: JSONToken, _ params: RawParameters?, in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let start = answers.count
        var isAnswered = false
        frame(&answers, style) { answers in
            Answer.appendHead(to: &answers, id: UnsafeBufferPointer(rebasing: bytes[id.range]), isError: false)
            isAnswered = method.answerAtOnce(params, arrival: arrival, into: &answers)
            answers.append(UInt8(ascii: "}"))
        }
        if isAnswered { answerCounters.countAnswer(nil) } else { answers.removeSubrange(start...) }
        return isAnswered
    }

    /// Answers a request with an error; a notification only makes a line in the log.
    private mutating func fail(
        _ request: Message.Request, in bytes: UnsafeBufferPointer<UInt8>, batch: Int?, _ error: RPCError
    ) {
        guard let id = request.id else { return connection.configuration.report(.notificationDropped(error)) }
        answer(id, in: bytes, batch: batch, error)
    }

    /// Answers at once with an error.
    private mutating func answer(
        _ id: JSONToken?, in bytes: UnsafeBufferPointer<UInt8>, batch: Int?, _ error: RPCError
    ) {
        answer(id.map { Array(bytes[$0.range]) } ?? Array("null".utf8), batch: batch, error) { $0.value(error) }
    }

    /// Answers at once: into the frames that wait, or into the batch.
    mutating func answer(_ id: [UInt8], batch: Int?, _ error: RPCError?, _ body: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        body(&json)
        guard batch == nil else {
            let now = lifecycle.refusesRequests ? nil : connection.configuration.clock.now
            connection.state.withLock { state in
                guard let place = state.reserve(in: batch) else { return }
                state.answer(id: id, at: place, error, json.bytes, now: now ?? state.lastAnswer)
            }
            return
        }
        answerCounters.countAnswer(error)
        frame(&answers, style) { Answer.append(to: &$0, id: id, isError: error != nil, body: json.bytes) }
    }

    /// Where the answer to a request goes that is started now; a notification's goes nowhere.
    private func place(_ id: JSONToken?, _ batch: Int?) -> AnswerPlace {
        guard id != nil, let batch else { return .single }
        return connection.state.withLock { $0.reserve(in: batch) } ?? .single
    }

    private mutating func takeNumber() -> Int {
        nextNumber += 1
        return nextNumber
    }
}

extension Connection.State {
    /// The next place in a batch; nil if there is no such batch.
    mutating func reserve(in batch: Int?) -> AnswerPlace? {
        guard let batch, let slot = batches[batch]?.reserve() else { return nil }
        return .batch(batch, slot: slot)
    }
}
