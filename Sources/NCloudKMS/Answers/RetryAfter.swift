import Platform

/// How long a server asks to wait (RFC 9110, section 10.2.3). Read here because libcurl's own reading makes a past
/// date negative, rubbish zero, and knows no upper bound.
package enum RetryAfter {
    /// More than this is a mistake of the server's, or of its clock.
    package static let maximum = Duration.seconds(24 * 60 * 60)

    /// The wait that a header asks for: whole seconds, or until an HTTP date. Nil when it is unreadable, negative or
    /// more than a day, all of which are ignored.
    ///
    /// - Parameter now: milliseconds since 1970-01-01T00:00:00Z, by the server's clock where its `Date` is known.
    package static func delay(of header: String, now: Int64) -> Duration? {
        let text = header.utf8.trimmingWhitespace()
        let delay: Duration
        if !text.isEmpty, text.allSatisfy(\.isASCIIDigit) {
            guard let seconds = Int64(Substring(text)) else { return nil }
            delay = .seconds(seconds)
        } else {
            guard let date = HTTPDate.milliseconds(of: Substring(text), now: now) else { return nil }
            delay = .milliseconds(date - now)
        }
        return (Duration.zero...maximum).contains(delay) ? delay : nil
    }
}
