import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport

/// Who waits for an answer, and whether each comes once and is one that may come.
final class SoakLedger: Sendable {
    enum Expectation: Sendable {
        /// That key, or a failure that the service's faults explain.
        case key(String)
        /// That code, or such a failure.
        case code(Int)
        /// That code, whatever the service does.
        case exactly(Int)
        /// A result.
        case result
        /// A key, cancelled, or such a failure.
        case maybeCancelled
    }

    /// What the client sees of a service that fails, throttles or is away.
    private static let unavailable = [1006, 1008, 1009]

    private struct State {
        var waiting: [Int: Expectation] = [:]
        var sent = 0
        var outcomes: [String: Int] = [:]
        var violations: [String] = []
    }

    private let state = Lock(State())

    var waiting: Int { state.withLock { $0.waiting.count } }
    var sent: Int { state.withLock { $0.sent } }
    /// The answers by their codes; 0 is a result.
    var outcomes: [String: Int] { state.withLock { $0.outcomes } }
    /// The first of the answers that should not have been.
    var violations: [String] { state.withLock { $0.violations } }

    /// - Returns: the id to send the request with.
    func expect(_ expectation: Expectation) -> Int {
        state.withLock { state in
            state.sent += 1
            state.waiting[state.sent] = expectation
            return state.sent
        }
    }

    /// Takes a line of the program's output.
    func take(_ line: String) {
        do {
            let value = try JSONValue(parsing: line)
            for answer in value.elements ?? [value] { take(try WireAnswer(answer)) }
        } catch {
            violate("\(error): \(line)")
        }
    }

    private func take(_ answer: WireAnswer) {
        let expectation: Expectation? = state.withLock { state in
            state.outcomes["\(answer.code ?? 0)", default: 0] += 1
            return Int(answer.id).flatMap { state.waiting.removeValue(forKey: $0) }
        }
        guard let expectation else { return violate("nobody waits for \(answer.id), or not any more") }
        let isExplained = answer.code.map(Self.unavailable.contains) ?? false
        let isRight =
            switch expectation {
            case .key(let key): isExplained || answer.result?["publicKey"]?.string == key
            case .code(let code): isExplained || answer.code == code
            case .exactly(let code): answer.code == code
            case .result: answer.result != nil
            case .maybeCancelled: isExplained || answer.code == -32800 || answer.code == nil
            }
        if !isRight { violate("\(expectation): \(answer) \(answer.message ?? "")") }
    }

    private func violate(_ text: String) {
        state.withLock { state in
            if state.violations.count < 20 { state.violations.append(text) }
        }
    }
}
