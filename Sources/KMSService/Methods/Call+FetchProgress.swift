import KMSJSONRPC
import NCloudKMS

extension Call {
    /// Passes the progress of a fetch on to the caller; nil if the caller wants no reports.
    var fetchProgress: FetchProgress.Handler? {
        guard wantsProgress else { return nil }
        return { progress in self.report(progress.message, total: progress.maximumAttempts) }
    }
}

extension FetchProgress {
    /// The progress in a few words.
    var message: String {
        switch activity {
        case .waitingForLimiter: "waiting for the rate limiter"
        case .attempt(let number) where number <= maximumAttempts: "attempt \(number) of \(maximumAttempts)"
        // Attempts that the service throttled are not counted.
        case .attempt(let number): "attempt \(number)"
        }
    }
}
