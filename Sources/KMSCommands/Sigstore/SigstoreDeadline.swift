import KMSPlatform
import NCloudKMS

/// How long a call of the plugin may take.
///
/// The caller kills the process at the deadline and then can't report a reason, so the plugin must answer before.
enum SigstoreDeadline {
    /// Time for the answer to reach the caller.
    static let margin = Duration.milliseconds(250)
    /// For callers without a deadline.
    static let defaultTime = PublicKeyQuery.defaultTimeout
    static let maximumTime = Duration.seconds(300)

    /// The time left for the call.
    ///
    /// - Parameter now: the wall clock, in milliseconds since 1970.
    /// - Throws: if no time is left, or a deadline is not a time.
    static func time(for arguments: SigstoreArguments, now: Int64) throws(SigstoreError) -> Duration {
        var texts = [try arguments.initOptions.string("ctxDeadline")]
        for options in try arguments.rpcOptions() { texts.append(try options.string("ctxDeadline")) }
        if arguments.method == .createKey { texts.append(try arguments.methodArguments.string("ctxDeadline")) }
        return try time(until: texts.compactMap { $0 }, now: now)
    }

    /// - Parameter deadlines: times in RFC 3339 format. The earliest counts.
    static func time(until deadlines: [String], now: Int64) throws(SigstoreError) -> Duration {
        var earliest: Int64?
        for text in deadlines {
            guard let deadline = ISO8601Date.milliseconds(of: text) else {
                throw SigstoreError(
                    "ctxDeadline must be a time in RFC 3339 format, with an offset: \(text.excerpt)")
            }
            earliest = min(earliest ?? deadline, deadline)
        }
        guard let earliest else { return defaultTime }
        let time = Duration.milliseconds(earliest - now) - margin
        guard time > .zero else { throw SigstoreError("the deadline of the call has passed: allow more time") }
        return min(time, maximumTime)
    }
}
