/// Why the text of a fault is not valid.
package struct FaultSpecError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension Fault {
    /// Parses the argument of `--fault`: words separated by commas, exactly one of which is an effect.
    ///
    /// | word | meaning |
    /// |---|---|
    /// | `status=N`, `code=C` | that answer (200–599), in the gateway's form if C is a number and in the service's if it is a name; one implies the other if NAVER's API guide lists it; a status without a code has no body |
    /// | `empty`, `html`, `text` | no body (200), an HTML page (502), a line of text (503); `status=N` for another status |
    /// | `reset`, `reset=body` | a TCP reset instead of the answer, or in the middle of its body |
    /// | `close` | the connection is closed without an answer |
    /// | `truncate` | half of the body, then closed |
    /// | `trickle`, `trickle=MS` | the body in chunks of one byte, MS (1) before each |
    /// | `hang` | no answer, ever |
    /// | `delay=MS` | delays the answer |
    /// | `close-every=N` | closes after every N-th answer of a connection |
    /// | `skew=+360s` | the emulator's clock is wrong (ms, s, m, h, d) |
    ///
    /// Combine with `count=N` (the first N requests), `rate=P` (this probability), `key=TAG` (this key), and for
    /// answers `message=TEXT`, `number` (`errorCode` as a JSON number) and `retry-after=VALUE` (the header, any text).
    package init(parsing text: String) throws(FaultSpecError) {
        var words = try FaultWords(text)
        var trigger = Trigger()
        trigger.keyTag = try words.takeValue("key")
        trigger.count = try words.takeInteger("count", in: 1...Int.max)
        if let rate = try words.takeValue("rate") {
            guard let number = Double(rate), (0...1).contains(number) else {
                throw words.failure("rate must be a number from 0 to 1")
            }
            trigger.rate = number
        }
        let isAnswer = !words.names.isDisjoint(with: Self.answerNames)
        let others = words.names.intersection(Self.otherNames).sorted()
        guard others.count + (isAnswer ? 1 : 0) == 1 else {
            let known = (Self.answerNames + Self.otherNames).joined(separator: ", ")
            throw words.failure("it must have exactly one effect: \(known)")
        }
        let effect = isAnswer ? .ending(.answer(try words.takeAnswer())) : try words.takeEffect(others[0])
        try words.expectEmpty()
        self.init(effect, when: trigger)
    }

    private static let answerNames = ["status", "code", "empty", "html", "text"]
    private static let otherNames = [
        "reset", "close", "truncate", "trickle", "hang", "delay", "close-every", "skew",
    ]
}

/// The words of a fault's text (`NAME` or `NAME=VALUE`, separated by commas), consumed one at a time.
private struct FaultWords {
    private let text: String
    private var values: [String: String?] = [:]

    init(_ text: String) throws(FaultSpecError) {
        self.text = text
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard !name.isEmpty else { throw failure("empty word between commas") }
            guard values[name] == nil else { throw failure("\"\(name)\" occurs twice") }
            values.updateValue(parts.count == 2 ? String(parts[1]) : nil, forKey: name)
        }
    }

    func failure(_ problem: String) -> FaultSpecError { FaultSpecError("the fault \"\(text)\": \(problem)") }

    var names: Set<String> { Set(values.keys) }

    private func has(_ name: String) -> Bool { values[name] != nil }

    /// Consumes a word that requires a value; nil if it does not occur.
    mutating func takeValue(_ name: String) throws(FaultSpecError) -> String? {
        guard let value = values.removeValue(forKey: name) else { return nil }
        guard let value, !value.isEmpty else { throw failure("\(name) needs a value") }
        return value
    }

    mutating func takeInteger(_ name: String, in range: ClosedRange<Int>) throws(FaultSpecError) -> Int? {
        guard let value = try takeValue(name) else { return nil }
        guard let integer = Int(value), range.contains(integer) else {
            let end = range.upperBound == .max ? "\(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
            throw failure("\(name) must be an integer from \(end)")
        }
        return integer
    }

    /// Consumes a word with an optional value.
    @discardableResult
    private mutating func takeOptionalValue(_ name: String) -> String? { values.removeValue(forKey: name) ?? nil }

    /// Consumes a word without a value.
    private mutating func takeFlag(_ name: String) throws(FaultSpecError) {
        guard takeOptionalValue(name) == nil else { throw failure("\(name) takes no value") }
    }

    /// Checks that all words have been consumed.
    func expectEmpty() throws(FaultSpecError) {
        guard let name = names.min() else { return }
        throw failure("\"\(name)\" is unknown, or can't be combined with the other words")
    }

    // MARK: Effects

    /// - Parameter name: the word of an effect, which must occur.
    mutating func takeEffect(_ name: String) throws(FaultSpecError) -> Fault.Effect {
        switch name {
        case "reset":
            let place = takeOptionalValue(name)
            guard place == nil || place == "body" else { throw failure("the only value of reset is \"body\"") }
            return .ending(place == nil ? .reset : .body(.reset))
        case "trickle":
            guard values[name] != .some(nil) else {
                takeOptionalValue(name)
                return .ending(.body(.trickle(intervalMilliseconds: 1)))
            }
            return .ending(.body(.trickle(intervalMilliseconds: try takeInteger(name, in: 0...60_000) ?? 1)))
        case "delay": return .delay(milliseconds: try takeInteger(name, in: 0...3_600_000) ?? 0)
        case "close-every": return .closeEvery(requests: try takeInteger(name, in: 1...Int.max) ?? 1)
        case "skew": return .skew(milliseconds: try takeSkew())
        case "close":
            try takeFlag(name)
            return .ending(.close)
        case "truncate":
            try takeFlag(name)
            return .ending(.body(.truncate))
        default:
            try takeFlag(name)
            return .ending(.hang)
        }
    }

    /// A sign, an integer and a unit, up to 100 years; in milliseconds.
    private mutating func takeSkew() throws(FaultSpecError) -> Int64 {
        let units: [(name: String, milliseconds: Int64)] = [
            ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        let text = try takeValue("skew") ?? ""
        let sign: Int64 = text.hasPrefix("-") ? -1 : 1
        let rest = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : Substring(text)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let unit = rest.dropFirst(digits.count)
        guard let number = Int64(digits), let factor = units.first(where: { $0.name == unit })?.milliseconds,
            number <= 36_500 * 86_400_000 / factor
        else { throw failure("skew must be like +360s or -2h (ms, s, m, h, d; up to 100 years)") }
        return sign * number * factor
    }

    // MARK: Answers

    mutating func takeAnswer() throws(FaultSpecError) -> Answer {
        let status = try takeInteger("status", in: 200...599)
        let retryAfter = try takeValue("retry-after")
        var answer: Answer
        if has("empty") {
            try takeFlag("empty")
            answer = Answer(status: status ?? 200, contentType: nil, body: [])
        } else if has("html") {
            try takeFlag("html")
            let status = status ?? 502
            let page = "<html><head><title>\(status)</title></head><body><h1>\(status)</h1></body></html>\n"
            answer = Answer(status: status, contentType: "text/html", body: Array(page.utf8))
        } else if has("text") {
            try takeFlag("text")
            answer = .text(status: status ?? 503, "Service unavailable\n")
        } else {
            answer = try takeTableAnswer(status: status)
        }
        if let retryAfter {
            let header = Answer.Header("Retry-After", retryAfter)
            guard header.isWellFormed else {
                throw failure("retry-after contains characters that are not allowed in a header")
            }
            answer.headers = [header]
        }
        return answer
    }

    /// An answer that NAVER's API guide lists, or one of the same form.
    private mutating func takeTableAnswer(status: Int?) throws(FaultSpecError) -> Answer {
        let isNumber = has("number")
        if isNumber { try takeFlag("number") }
        let message = try takeValue("message")
        let details = "A fault of the emulator."
        guard let code = try takeValue("code") else {
            let status = status ?? 503
            guard let row = Refusal.Gateway.all.first(where: { $0.status == status }) else {
                return Answer(status: status, contentType: nil, body: [])
            }
            return Refusal.Gateway.answer(
                status: status, code: "\(row.code)", isNumber: isNumber, message: message ?? row.message,
                details: details)
        }
        if let number = Int(code) {
            let row = Refusal.Gateway.all.first { $0.code == number }
            guard let status = status ?? row?.status else { throw failure("the code \(code) needs a status") }
            return Refusal.Gateway.answer(
                status: status, code: "\(number)", isNumber: isNumber, message: message ?? row?.message ?? "Error",
                details: details)
        }
        let row = Refusal.Service(rawValue: code)
        guard let status = status ?? row?.status else { throw failure("the code \(code) needs a status") }
        guard !isNumber else { throw failure("the code \(code) is not a number") }
        return Refusal.Service.answer(status: status, code: code, message: message ?? row?.message ?? "Error")
    }
}
