import KMSJSONRPC
import NCloudKMS

/// The parameters that all methods about a key have.
extension Parameters {
    /// The maximum is 5 minutes: longer than a caller would wait for an outage to end.
    private static let timeoutMilliseconds = 1...300_000

    func keyTag() throws(RPCError) -> KeyTag {
        let text = try requiredString("keyTag")
        do {
            return try KeyTag(text)
        } catch {
            throw RPCError(error)
        }
    }

    func keyVersion() throws(RPCError) -> KeyVersion? {
        guard let number = try optionalInteger("keyVersion", in: KeyVersion.range) else { return nil }
        do {
            return try KeyVersion(number)
        } catch {
            throw RPCError(error)
        }
    }

    /// The maximum age of an answer; nil means the cache's time to live.
    func maxAge() throws(RPCError) -> Duration? {
        try optionalInteger("maxAgeMs", in: 0...Int.max).map { .milliseconds($0) }
    }

    func timeout() throws(RPCError) -> Duration {
        try optionalInteger("timeoutMs", in: Self.timeoutMilliseconds).map { .milliseconds($0) }
            ?? PublicKeyQuery.defaultTimeout
    }
}
