import Platform

/// One HTTP attempt, as `CurlMulti` sends it.
struct HTTPRequest: Sendable {
    enum Method: Sendable {
        case get
        case post
    }

    /// Longest time that one attempt may take, from its connection to the last byte (spec page 03, Transport).
    static let longestAttempt = Duration.seconds(10)

    /// Longest time for name, connection, proxy and TLS handshake together (spec page 03, Transport).
    static let longestConnect = Duration.seconds(3)

    var method: Method

    /// Scheme, host and port, without a slash at the end: `https://ocapi.ncloud.com`.
    var baseURL: String

    /// Path and query, which are sent byte for byte as they are signed. Begins with a slash.
    var target: String

    /// Whole lines, `Name: value`, without the line's end. A control character in one is refused.
    var headerLines: [String] = []

    var body: [UInt8] = []

    /// At most `longestAttempt`; the caller cuts it to what its deadline leaves.
    var attemptTimeout: Duration = HTTPRequest.longestAttempt

    var connectTimeout: Duration = HTTPRequest.longestConnect

    /// Never through the proxy: for loopback and the metadata service.
    var isDirect = false

    /// Whether `http` is acceptable as the scheme: only the caller knows that the host is loopback or the metadata
    /// service. Any other request must be `https`, else `CurlMulti.start` refuses it.
    var allowsPlainHTTP = false
}
