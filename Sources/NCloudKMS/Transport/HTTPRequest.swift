import KMSPlatform

/// One HTTP attempt, as `CurlMulti` sends it.
struct HTTPRequest: Sendable {
    enum Method: Sendable {
        case get
        case post
    }

    /// Longest time that one attempt may take, from its connection to the last byte.
    static let longestAttempt = Duration.seconds(10)

    /// Longest time in which an address must answer a TCP connect. All addresses of a name together have twice as long;
    /// looking the name up, a proxy's CONNECT and the TLS handshake have the attempt's time.
    static let longestConnect = Duration.seconds(3)

    var method: Method

    /// Scheme, host and port, without a slash at the end: `https://ocapi.ncloud.com`.
    var baseURL: String

    /// Path and query, which are sent byte for byte as they are signed. Begins with a slash.
    var target: String

    /// In the order in which they are sent. A control character in one is refused.
    var headers: [Header] = []

    typealias Header = (name: String, value: String)

    var body: [UInt8] = []

    /// At most `longestAttempt`.
    var attemptTimeout: Duration = HTTPRequest.longestAttempt

    /// For each address; at most `longestConnect`.
    var connectTimeout: Duration = HTTPRequest.longestConnect

    /// Not on a connection that was kept: such a one has just turned out to be dead.
    var needsNewConnection = false

    /// Should this attempt fail, there may be another. Then a connection that was idle for long gets less time.
    var hasAnotherAttempt = false

    /// Never through the proxy: for loopback and the metadata service.
    var isDirect = false

    /// Whether `http` is acceptable as the scheme: only the caller knows that the host is loopback or the metadata
    /// service. Any other request must be `https`, else `CurlMulti.start` refuses it.
    var allowsPlainHTTP = false

    /// - Throws: `setup`, if the request is not what it says: control characters would smuggle lines into it, and plain
    ///   HTTP would show them to everybody.
    func validate() throws(TransportFailure) {
        guard baseURL.hasPrefix("https://") || (allowsPlainHTTP && baseURL.hasPrefix("http://")) else {
            throw TransportFailure(.setup, message: "The service's address must begin with https://.")
        }
        let printable: ClosedRange<UInt8> = 0x21...0x7E
        guard target.utf8.first == UInt8(ascii: "/"),
            target.hasOnly({ printable.contains($0) && $0 != UInt8(ascii: "#") }),
            baseURL.hasOnly({ printable.contains($0) })
        else {
            throw TransportFailure(.setup, message: "The request's address has characters that an address can't have.")
        }
        for header in headers {
            guard header.name.hasOnly({ printable.contains($0) && $0 != UInt8(ascii: ":") }), !header.name.isEmpty,
                header.value.hasOnly({ ($0 >= 0x20 && $0 != 0x7F) || $0 == UInt8(ascii: "\t") })
            else {
                throw TransportFailure(
                    .setup, message: "A header of the request has no name, or control characters in it.")
            }
        }
    }
}
