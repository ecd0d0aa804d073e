import KMSJSON
import KMSPlatform

/// Where an answer belongs.
enum AnswerPlace: Sendable {
    case single
    /// A slot in the answer to a batch.
    case batch(BatchID, slot: Int)
}

typealias BatchID = SlotMap<BatchAnswers>.ID

/// The answers to the members of one batch, which are written together when the last one is known.
struct BatchAnswers: Sendable {
    private var answers: [[UInt8]?] = []
    private var missing = 0
    /// The size of the answers so far, in bytes.
    private(set) var heldBytes = 0
    /// Whether all members have been read, so that the number of answers is known.
    private var isSealed = false

    /// Reserves a slot for one more answer.
    mutating func reserve() -> Int {
        answers.append(nil)
        missing += 1
        return answers.count - 1
    }

    mutating func fill(_ slot: Int, with answer: [UInt8]) {
        answers[slot] = answer
        missing -= 1
        heldBytes += answer.count
    }

    /// A slot stays empty: its request is not answered after all.
    mutating func giveUpPlace() {
        missing -= 1
    }

    mutating func seal() {
        isSealed = true
    }

    var isComplete: Bool { isSealed && missing == 0 }

    /// Whether there is nothing to write. A batch that contains only notifications is not answered (JSON-RPC 2.0,
    /// section 6), and neither is one whose calls were all dropped.
    var isEmpty: Bool { answers.allSatisfy { $0 == nil } }

    /// Appends the array of answers, in the order of the requests.
    func append(to bytes: inout [UInt8]) {
        var separator = UInt8(ascii: "[")
        for answer in answers {
            guard let answer else { continue }
            bytes.append(separator)
            bytes.append(contentsOf: answer)
            separator = UInt8(ascii: ",")
        }
        bytes.append(UInt8(ascii: "]"))
    }
}

/// The outgoing answers of a connection: framed, held back until their batch is complete, then queued.
struct AnswerQueue: Sendable {
    /// How answers are framed: like the client's messages.
    var style = FrameStyle.line
    private(set) var output = OutputQueue()
    private var batches = SlotMap<BatchAnswers>()
    /// The size of the answers that wait for others of their batch, in bytes.
    private var heldBytes = 0
    private(set) var answered = ConnectionCounters()

    /// Bytes of answers that have not been written.
    var unwritten: Int { output.count }

    /// Bytes of answers in memory: not yet written, or waiting for others of their batch.
    var bytes: Int { output.count + heldBytes }

    /// Queues the answer to a request, or adds it to its batch.
    ///
    /// - Parameters:
    ///   - id: the JSON text of the id, unchanged.
    ///   - isError: whether `body` writes an error instead of a result.
    ///   - failure: the error to count, if any.
    ///   - body: appends one JSON value.
    mutating func add(
        id: some Collection<UInt8>, at place: AnswerPlace, isError: Bool, failure: RPCError?,
        _ body: (inout [UInt8]) -> Void
    ) {
        answered.countAnswer(failure)
        switch place {
        case .single:
            output.append(style: style) { Self.append(to: &$0, id: id, isError: isError, body) }
        case .batch(let batch, let slot):
            var answer: [UInt8] = []
            Self.append(to: &answer, id: id, isError: isError, body)
            heldBytes += answer.count
            batches[batch]?.fill(slot, with: answer)
            endIfComplete(batch)
        }
    }

    mutating func add(id: [UInt8], at place: AnswerPlace, _ answer: Answer) {
        add(id: id, at: place, isError: answer.isError, failure: answer.failure) { $0.append(contentsOf: answer.json) }
    }

    private static func append(
        to bytes: inout [UInt8], id: some Collection<UInt8>, isError: Bool, _ body: (inout [UInt8]) -> Void
    ) {
        bytes.append("{\"jsonrpc\":\"2.0\",\"id\":")
        bytes.append(contentsOf: id)
        bytes.append(isError ? ",\"error\":" : ",\"result\":")
        body(&bytes)
        bytes.append(UInt8(ascii: "}"))
    }

    /// Queues a message that is not an answer: a notification to the client.
    mutating func add(message: [UInt8]) {
        output.append(style: style) { $0.append(contentsOf: message) }
    }

    // MARK: Batches

    mutating func beginBatch() -> BatchID { batches.insert(BatchAnswers()) }

    /// The place of the next answer: a slot in the batch, or single if there is none.
    mutating func place(in batch: BatchID?) -> AnswerPlace {
        guard let batch, let slot = batches[batch]?.reserve() else { return .single }
        return .batch(batch, slot: slot)
    }

    /// A request is not answered after all.
    mutating func giveUp(_ place: AnswerPlace) {
        guard case .batch(let batch, _) = place else { return }
        batches[batch]?.giveUpPlace()
        endIfComplete(batch)
    }

    /// All members of a batch have been read.
    mutating func seal(_ batch: BatchID) {
        batches[batch]?.seal()
        endIfComplete(batch)
    }

    private mutating func endIfComplete(_ id: BatchID) {
        guard batches[id]?.isComplete ?? false, let batch = batches.remove(id) else { return }
        heldBytes -= batch.heldBytes
        if !batch.isEmpty { output.append(style: style) { batch.append(to: &$0) } }
    }

    /// Drops the answers that wait for others, which will never come.
    mutating func dropBatches() {
        _ = batches.removeAll()
        heldBytes = 0
    }

    // MARK: Writing

    /// Writes as much as fits without waiting; nil if the descriptor is usable, otherwise the error number.
    mutating func write(to descriptor: OutputDescriptor) -> CInt? { output.write(to: descriptor) }

    /// At the end: drops everything that has not been written, except the rest of an answer that was written in part.
    mutating func completeWrittenAnswer(to descriptor: OutputDescriptor) {
        output.completeWrittenAnswer(to: descriptor, style: style)
    }
}
