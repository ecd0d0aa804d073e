import PublicKeys

/// What a fetch brought. All answers that come from one fetch share it, so its identity tells that they are alike.
package final class FetchedKey: Sendable {
    package let key: PublicKey
    /// HTTP requests that the fetch took.
    package let attempts: Int
    /// The service's name for its answer, if it sent one.
    package let requestID: String?

    package init(key: PublicKey, attempts: Int, requestID: String?) {
        self.key = key
        self.attempts = attempts
        self.requestID = requestID
    }
}
