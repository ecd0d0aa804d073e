import KMSPlatform
import NCloudKMS

/// How long a call of the plugin may take.
///
/// The caller kills the process at its deadline, and then knows no more than that; so the answer must be there before.
enum SigstoreDeadline {
    /// What an error needs to get to the caller.
    static let margin = Duration.milliseconds(250)
    /// Where the caller names no deadline.
    static let usualTime = PublicKeyQuery.defaultTimeout
    static let longestTime = Duration.seconds(300)

    /// The time that is left for the call.
    ///
    /// - Parameter now: of the wall clock, in milliseconds since 1970.
    /// - Throws: where there is none left, or a deadline can't be read.
    static func time(for arguments: SigstoreArguments, now: Int64) throws(SigstoreError) -> Duration {
        var texts = [try arguments.initOptions.string("ctxDeadline")]
        for options in try arguments.rpcOptions() { texts.append(try options.string("ctxDeadline")) }
        if arguments.method == .createKey { texts.append(try arguments.methodArguments.string("ctxDeadline")) }
        return try time(until: texts.compactMap { $0 }, now: now)
    }

    /// - Parameter deadlines: as RFC 3339 writes them. The earliest counts.
    static func time(until deadlines: [String], now: Int64) throws(SigstoreError) -> Duration {
        var earliest: Int64?
        for text in deadlines {
            guard let deadline = ISO8601Date.milliseconds(of: text) else {
                throw SigstoreError("ctxDeadline must be a time as RFC 3339 writes it, with an offset: \(text.excerpt)")
            }
            earliest = min(earliest ?? deadline, deadline)
        }
        guard let earliest else { return usualTime }
        let time = Duration.milliseconds(earliest - now) - margin
        guard time > .zero else { throw SigstoreError("the deadline of the call has passed: allow more time") }
        return min(time, longestTime)
    }
}
