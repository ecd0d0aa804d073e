import KMSEmulator
import KMSJSON

/// Compares what a process did with what the contract allows in that session.
struct ModelCheck {
    private(set) var violations: [String] = []

    init(_ session: ModelSession, _ record: ModelRecord) {
        if record.wasKilled { violations.append("it did not end") }
        if !record.wasKilled, !session.statuses.contains(record.status) {
            violations.append("status \(record.status), not \(session.statuses)")
        }
        let answers = checkOutput(session, record)
        checkLog(session, record, answers)
        let text = String(decoding: record.output, as: UTF8.self) + record.log
        for secret in [Seed.AccessKey.demo.secret, Seed.AccessKey.demo.id] where text.contains(secret) {
            violations.append("\(secret) was written")
        }
    }

    // MARK: Stdout

    /// - Returns: how many requests were answered; nil if that can't be told.
    private mutating func checkOutput(_ session: ModelSession, _ record: ModelRecord) -> Int? {
        do {
            let (messages, rest) = try ModelReply.split(record.output, usesHeaders: session.usesHeaders)
            if !rest.isEmpty, !session.mayLoseAnswers {
                violations.append("cut off: \(String(decoding: rest.prefix(200), as: UTF8.self))")
            }
            var replies: [ModelReply] = []
            for message in messages { replies.append(try ModelReply(parsing: message)) }
            checkProgress(session, replies)
            checkAnswers(
                session,
                replies.filter {
                    if case .progress = $0 { false } else { true }
                })
            return replies.reduce(0) { count, reply in
                switch reply {
                case .single: count + 1
                case .batch(let members): count + members.count
                case .progress: count
                }
            }
        } catch {
            violations.append("\(error)")
            return nil
        }
    }

    private mutating func checkAnswers(_ session: ModelSession, _ replies: [ModelReply]) {
        let matching = ModelMatching(session.expectations, replies)
        for index in matching.unexpected {
            violations.append("not expected: \(Self.cut("\(replies[index])"))")
            let ids = session.expectations.filter { expectation in
                guard case .single(let member) = replies[index] else { return expectation.isBatch }
                return !expectation.isBatch && expectation.answers[0].id == member.id
            }
            for expectation in ids { violations.append("    expected: \(Self.cut("\(expectation)"))") }
        }
        for index in matching.missing {
            violations.append("not answered: \(Self.cut("\(session.expectations[index])"))")
        }
    }

    private static func cut(_ text: String) -> String { String(text.prefix(1_500)) }

    /// Reports number themselves from 1, and none follows the answer.
    private mutating func checkProgress(_ session: ModelSession, _ replies: [ModelReply]) {
        var ids: [String: String] = [:]
        for answer in session.expectations.flatMap(\.answers) {
            if let token = answer.progressToken { ids[token] = answer.id }
        }
        var reported: [String: Int] = [:]
        var answered: Set<String> = []
        for reply in replies {
            switch reply {
            case .single(let member): answered.insert(member.id)
            case .batch(let members): answered.formUnion(members.map(\.id))
            case .progress(let token, let number):
                guard let id = ids[token], !answered.contains(id) else {
                    violations.append("progress that nobody waits for: \(token)")
                    continue
                }
                if number != reported[token, default: 0] + 1 { violations.append("progress \(number) of \(token)") }
                reported[token] = number
            }
        }
    }

    // MARK: Stderr

    private mutating func checkLog(_ session: ModelSession, _ record: ModelRecord, _ answers: Int?) {
        var lines = record.log.split(separator: "\n", omittingEmptySubsequences: false)
        // The last line is whole, unless a second signal has cut it off.
        if let last = lines.popLast(), !last.isEmpty, !session.mayLoseAnswers {
            violations.append("the log was cut off: \(last)")
        }
        let isText = session.value(of: "--log-format") == "text"
        var reasons: [String] = []
        for line in lines {
            guard !isText else {
                if line.unicodeScalars.contains(where: { $0.value < 0x20 }) { violations.append("in the log: \(line)") }
                if line.contains(" info ended ") { reasons.append(String(line)) }
                continue
            }
            guard let entry = try? JSONValue(parsing: String(line)), entry["message"]?.string != nil,
                entry["level"]?.string != nil
            else {
                violations.append("not a line of the log: \(line)")
                continue
            }
            guard entry["message"]?.string == "ended" else { continue }
            reasons.append(entry["reason"]?.string ?? "")
            if session.ending == .endOfInput, let answers, entry["answered"]?.integer != answers {
                violations.append("\(answers) answers were written: \(line)")
            }
        }
        let isTold = !["warning", "error"].contains(session.value(of: "--log-level"))
        guard isTold, !record.wasKilled, let reason = session.reason(parent: record.parent) else { return }
        guard reasons.count == 1, isText ? reasons[0].contains(reason) : reasons[0] == reason else {
            violations.append("the log's last line has \(reasons), not \(reason)")
            return
        }
    }
}
