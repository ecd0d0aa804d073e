/// Why an attempt got no answer.
struct TransportFailure: Error, Sendable, Equatable {
    enum Kind: Sendable, Hashable {
        /// The host's name has no address. Not temporary: the name can't exist.
        case nameResolution(temporary: Bool)
        case connectionRefused
        /// There is no route, the network is down, or a firewall rejects the connection.
        case unreachable
        case connectionLost(Loss)
        case timedOut(Phase)
        case untrusted(TrustFault)
        case proxy(ProxyFault)
        /// The answer's body or header is larger than the limit.
        case tooLarge
        /// What was received is not HTTP.
        case badResponse
        /// The process can't open more files and sockets.
        case noDescriptor
        /// `CurlMulti` has as many transfers as connections: wait for one to end, then sign and start.
        case noFreeConnection
        /// Nothing was sent, because the request, the configuration or libcurl itself is at fault.
        case setup
    }

    /// How a connection ended before the answer did.
    enum Loss: Sendable, Hashable {
        case reset
        case closed
        /// Closed without a single byte of an answer.
        case empty
        /// Closed in the middle of the body.
        case cut
        /// A new connection had an answer on it before the request was written.
        case unasked
    }

    /// What an attempt was doing.
    enum Phase: Sendable, Hashable {
        case resolving
        case connecting
        /// The TLS handshake, or the proxy's CONNECT before it.
        case handshake
        /// The request is being sent or has been sent, and the answer has not begun.
        case waiting
        case receiving
    }

    enum TrustFault: Sendable, Hashable {
        case expired
        case notYetValid
        /// An authority in the chain, root or intermediate, has expired.
        case expiredAuthority
        case notYetValidAuthority
        case selfSigned
        case unknownAuthority
        case wrongHost
        /// It has no `subjectAltName` with a host or an address.
        case noAlternativeName
        /// Any other problem that OpenSSL reports, in its words.
        case certificate(problem: String)
        /// No common TLS version, or no TLS at all.
        case protocolVersion
        case noCommonCipher
        /// The server requires a certificate from us.
        case clientCertificateRequired
        /// OpenSSL's own configuration lacks something that TLS needs.
        case ownConfiguration
        /// There are no authorities to check with; the value says why, as the rest of a sentence.
        case noAuthorities(String)
        case other
    }

    enum ProxyFault: Sendable, Hashable {
        /// Its name has no address. Not temporary: the name can't exist.
        case unresolved(temporary: Bool)
        /// Nobody listens there, or there is no route.
        case unreachable
        /// It answered CONNECT with this status.
        case refused(status: Int)
        /// An HTTPS proxy whose certificate is refused.
        case untrusted(TrustFault)
        /// Its answer to CONNECT is larger than the limit.
        case tooLarge
        /// Its answer is not valid, or its protocol is not supported.
        case unusable
        /// Its URL, or the list of hosts that are reached without it, is malformed.
        case misconfigured
    }

    var kind: Kind
    /// One sentence for people. Never contains a header, a body, a user or a password.
    var message: String
    /// Whether a kept connection turned out to be dead, so that another attempt must use a new one.
    var needsNewConnection = false

    init(_ kind: Kind, message: String) {
        self.kind = kind
        self.message = message
    }

    /// Whether another attempt may help.
    var repetition: Repetition {
        switch kind {
        case .nameResolution(let temporary): temporary ? .afterBackoff : .never
        case .connectionRefused, .unreachable, .connectionLost, .timedOut, .noFreeConnection, .noDescriptor:
            .afterBackoff
        case .badResponse: .once
        case .untrusted, .tooLarge, .setup: .never
        case .proxy(.unresolved(let temporary)): temporary ? .afterBackoff : .never
        case .proxy(.unreachable): .afterBackoff
        case .proxy(.refused(let status)): (500...599).contains(status) && status != 501 ? .afterBackoff : .never
        case .proxy(.unusable), .proxy(.untrusted), .proxy(.tooLarge), .proxy(.misconfigured): .never
        }
    }
}
