/// What `doctor` found out about one thing.
package struct Finding: Equatable, Sendable {
    package enum Check: String, CaseIterable, Sendable {
        case configuration, libraries, credentials, dns, connection, clock, key
    }

    package enum Verdict: String, Sendable {
        case passed = "ok"
        case failed = "FAIL"
        /// It could not be looked at, as something that it needs has failed.
        case skipped = "skip"
    }

    package let check: Check
    package let verdict: Verdict
    /// Never a secret.
    package let text: String

    /// The finding on one line, in columns.
    package var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        let width = Check.allCases.map(\.rawValue.count).max() ?? 0
        return "\(padded(verdict.rawValue, 4)) \(padded(check.rawValue, width)) \(LogFormat.escapingControls(text))"
    }
}
