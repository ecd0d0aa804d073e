/// The answers to the members of one batch, which are written together when the last one is there.
struct BatchAnswers: Sendable {
    private var answers: [[UInt8]?] = []
    private var missing = 0
    /// The size of the answers that are there.
    private(set) var heldBytes = 0
    /// All members were read, so the number of answers is known.
    private var isSealed = false

    /// A place for one more answer.
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

    mutating func seal() {
        isSealed = true
    }

    var isComplete: Bool { isSealed && missing == 0 }

    /// A batch of notifications alone is not answered (JSON-RPC 2.0, section 6).
    var isEmpty: Bool { answers.isEmpty }

    /// Appends the array of answers, in the order of the requests.
    func append(to bytes: inout [UInt8]) {
        var separator = UInt8(ascii: "[")
        for answer in answers {
            bytes.append(separator)
            bytes.append(contentsOf: answer ?? [])
            separator = UInt8(ascii: ",")
        }
        bytes.append(UInt8(ascii: "]"))
    }
}
