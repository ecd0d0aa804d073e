import KMSJSONRPC
import NCloudKMS

/// The parameters that all methods about a key share.
extension Parameters {
    /// A call may take 5 minutes: longer than any outage that a caller would sit out.
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

    /// How old an answer may be; nil leaves it to the cache.
    func maxAge() throws(RPCError) -> Duration? {
        try optionalInteger("maxAgeMs", in: 0...Int.max).map { .milliseconds($0) }
    }

    func timeout() throws(RPCError) -> Duration {
        try optionalInteger("timeoutMs", in: Self.timeoutMilliseconds).map { .milliseconds($0) }
            ?? PublicKeyQuery.defaultTimeout
    }
}
