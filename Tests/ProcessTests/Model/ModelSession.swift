import KMSPlatform

/// One process from its start to its end: what the client does, and what the contract allows as the answers.
struct ModelSession {
    /// Makes the session, and the emulator's dice.
    let seed: UInt64
    var transport = Transport.pipes
    var usesHeaders = false
    var arguments: [String] = []
    /// In the syntax of `--fault`.
    var faults: [String] = []
    var usesTLS = false
    var engine = Engine.none
    /// Whether keys are shared, too, if there is an engine.
    var sharesKeys = false
    var steps: [Step] = []
    var ending = Ending.endOfInput
    var expectations: [ModelExpectation] = []

    enum Transport: CaseIterable {
        case pipes
        /// A pipe for the answers that holds one page.
        case smallPipe
        case inputSocket
        /// One socket for both directions, of which one half is closed at the end of the input.
        case oneSocket
    }

    /// What `--shared` names.
    enum Engine: CaseIterable {
        case none
        case running
        /// It takes commands and does not answer.
        case silent
        case absent
    }

    enum Step: Equatable {
        case send([UInt8])
        /// The client does not read until it wants an answer, or its own writing comes to a halt.
        case stopReading
        /// Waits until this text has been answered.
        case awaitAnswer(to: String)
    }

    enum Ending: Equatable {
        /// Also after `shutdown`, and after a frame that is cut off or broken.
        case endOfInput
        case invalidFrame
        /// `exit` was sent; the input may stay open.
        case exit(closesInput: Bool)
        /// `shutdown` was sent, and nothing follows.
        case shutdown
        case signal(CInt)
        case signals(CInt, CInt)
        case endOfParent
        case closedOutput
    }

    /// Whether what was not read before the end may be missing, or cut.
    var mayLoseAnswers: Bool {
        switch ending {
        case .closedOutput, .signals: true
        default: false
        }
    }

    /// Whether the program does not wait for a reader at its end.
    var isCutShort: Bool {
        switch ending {
        case .signal, .signals, .endOfParent: true
        default: false
        }
    }

    /// The exit statuses that the ending may have.
    var statuses: [Int] {
        switch ending {
        // Both may be there before it looks, and then it sees the lower number first.
        case .signals(let first, let second): [0, 128 + Int(first), 128 + Int(second)]
        default: [0]
        }
    }

    /// The reason that the log's last line must have; nil where there may be none.
    func reason(parent: CInt?) -> String? {
        switch ending {
        case .endOfInput: "end of stdin"
        case .invalidFrame: "an invalid frame on stdin"
        case .exit: "exit"
        case .shutdown: "shutdown, not followed by exit"
        case .signal(SIGTERM): "SIGTERM"
        case .signal(SIGINT): "SIGINT"
        case .signal: "SIGHUP"
        case .endOfParent: "end of process \(parent ?? 0), the parent"
        case .closedOutput: "stdout was closed"
        case .signals: nil
        }
    }

    /// The value of a flag, if it was given.
    func value(of flag: String) -> String? {
        arguments.firstIndex(of: flag).map { arguments[$0 + 1] }
    }

    var description: String {
        let sizes = steps.map { step in
            switch step {
            case .send(let bytes): "send \(bytes.count)"
            case .stopReading: "stop reading"
            case .awaitAnswer(let text): "await \(text)"
            }
        }
        return """
            \(transport), headers: \(usesHeaders), TLS: \(usesTLS), engine: \(engine), shares keys: \(sharesKeys)
            \(arguments), faults: \(faults), then \(ending)
            \(sizes.joined(separator: ", "))
            """
    }

    /// Everything that the client writes.
    var input: [UInt8] {
        steps.reduce(into: []) { bytes, step in
            if case .send(let part) = step { bytes += part }
        }
    }
}

/// What a process did.
struct ModelRecord {
    var output: [UInt8]
    var log: String
    var status: Int
    var parent: CInt?
    /// It was killed because it did not end.
    var wasKilled = false
}
