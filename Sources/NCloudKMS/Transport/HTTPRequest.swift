import KMSPlatform

/// One HTTP attempt, as `CurlMulti` sends it.
struct HTTPRequest: Sendable {
    enum Method: Sendable {
        case get
        case post
    }

    /// The maximum duration of one attempt, from connecting to the last byte.
    static let longestAttempt = Duration.seconds(10)

    /// The time in which an address must answer a TCP connect. All addresses of a name together have twice as long; the
    /// name lookup, a proxy's CONNECT and the TLS handshake have the attempt's time.
    static let longestConnect = Duration.seconds(3)

    var method: Method

    /// Scheme, host and port, without a trailing slash: `https://ocapi.ncloud.com`.
    var baseURL: String

    /// Path and query, sent byte for byte as signed. Begins with a slash.
    var target: String

    /// In the order in which they are sent. Control characters are refused.
    var headers: [Header] = []

    typealias Header = (name: String, value: String)

    var body: [UInt8] = []

    /// At most `longestAttempt`.
    var attemptTimeout: Duration = HTTPRequest.longestAttempt

    /// For each address; at most `longestConnect`.
    var connectTimeout: Duration = HTTPRequest.longestConnect

    /// Whether it must not use a kept connection, because one has just turned out to be dead.
    var needsNewConnection = false

    /// Whether another attempt may follow if this one fails. Then a connection that was idle for a long time gets less
    /// time.
    var hasAnotherAttempt = false

    /// Never through the proxy: for loopback and the metadata service.
    var isDirect = false

    /// Whether the scheme may be `http`: only the caller knows that the host is loopback or the metadata service. Any
    /// other request must be `https`, otherwise `CurlMulti.start` refuses it.
    var allowsPlainHTTP = false

    /// - Throws: `setup`, if the request is unsafe: control characters would inject lines into it, and plain HTTP would
    ///   show it to everybody.
    func validate() throws(TransportFailure) {
        guard baseURL.hasPrefix("https://") || (allowsPlainHTTP && baseURL.hasPrefix("http://")) else {
            throw TransportFailure(.setup, message: "The service's address must begin with https://.")
        }
        let printable: ClosedRange<UInt8> = 0x21...0x7E
        guard target.utf8.first == UInt8(ascii: "/"),
            target.hasOnly({ printable.contains($0) && $0 != UInt8(ascii: "#") }),
            baseURL.hasOnly({ printable.contains($0) })
        else {
            throw TransportFailure(.setup, message: "The request's address contains invalid characters.")
        }
        for header in headers {
            guard header.name.hasOnly({ printable.contains($0) && $0 != UInt8(ascii: ":") }), !header.name.isEmpty,
                header.value.hasOnly({ ($0 >= 0x20 && $0 != 0x7F) || $0 == UInt8(ascii: "\t") })
            else {
                throw TransportFailure(
                    .setup, message: "A header of the request has no name, or contains control characters.")
            }
        }
    }
}
