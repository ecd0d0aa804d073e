import KMSJSONRPC
import NCloudKMS

extension Call {
    /// For the client of the service, which says how a fetch gets on; nil if nobody wants to know.
    var fetchProgress: FetchProgress.Handler? {
        guard wantsProgress else { return nil }
        return { progress in self.report(progress.message, total: progress.maximumAttempts) }
    }
}

extension FetchProgress {
    /// In a few words.
    var message: String {
        switch activity {
        case .waitingForLimiter: "waiting for the rate limiter"
        case .attempt(let number) where number <= maximumAttempts: "attempt \(number) of \(maximumAttempts)"
        // Attempts that the service throttled are not counted.
        case .attempt(let number): "attempt \(number)"
        }
    }
}
