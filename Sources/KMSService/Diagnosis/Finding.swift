import JSON
import JSONRPC

/// What `doctor` found out about one thing.
package struct Finding: Equatable, Sendable {
    package enum Check: String, CaseIterable, Sendable {
        case configuration, libraries, credentials, authorities, dns, connection, clock, key
    }

    package enum Verdict: String, Sendable {
        case passed = "ok"
        /// It works, and should be changed all the same.
        case warned = "warn"
        case failed = "fail"
        /// It could not be looked at, as something that it needs has failed.
        case skipped = "skip"
    }

    package let check: Check
    package let verdict: Verdict
    /// Never a secret.
    package let text: String
    /// Of a check that has failed with one.
    package var error: RPCError?

    /// The finding on one line, in columns.
    package var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        let width = Check.allCases.map(\.rawValue.count).max() ?? 0
        // A failure stands out.
        let word = verdict == .failed ? verdict.rawValue.uppercased() : verdict.rawValue
        return "\(padded(word, 4)) \(padded(check.rawValue, width)) \(LogFormat.escapingControls(text))"
    }

    /// The finding as one JSON object: `check`, `verdict`, `text`, and `error` where a check failed with one.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.object { finding in
            finding.member("check", check.rawValue)
            finding.member("verdict", verdict.rawValue)
            finding.member("text", text)
            if let error { finding.member("error", error) }
        }
        return json.bytes
    }
}
