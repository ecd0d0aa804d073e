/// Why an attempt brought no answer.
struct TransportFailure: Error, Sendable, Equatable {
    enum Kind: Sendable, Hashable {
        /// The host's name has no address. Not temporary: the name can't exist.
        case nameResolution(temporary: Bool)
        case connectionRefused
        /// No route, a network that is down, a firewall that says so.
        case unreachable
        case connectionLost(Loss)
        case timedOut(Phase)
        case untrusted(TrustFault)
        case proxy(ProxyFault)
        /// The answer's body or header is larger than we accept.
        case tooLarge
        /// What came is not HTTP.
        case badResponse
        /// The process may open no more files and sockets.
        case noDescriptor
        /// `CurlMulti` has as many transfers as connections: wait for one to end, then sign and start.
        case noFreeConnection
        /// Nothing was sent, since the request, the configuration or libcurl itself is at fault.
        case setup
    }

    /// How a connection ended before the answer did.
    enum Loss: Sendable, Hashable {
        case reset
        case closed
        /// Closed without a single byte of an answer.
        case empty
        /// Closed in the body.
        case cut
        /// A new connection had an answer on it before the request was written.
        case unasked
    }

    /// What an attempt was doing.
    enum Phase: Sendable, Hashable {
        case resolving
        case connecting
        /// In the TLS handshake, or in the proxy's CONNECT before it.
        case handshake
        /// The request is sent, or being sent, and the answer has not begun.
        case waiting
        case receiving
    }

    enum TrustFault: Sendable, Hashable {
        case expired
        case notYetValid
        /// An authority in the chain, root or between, has expired.
        case expiredAuthority
        case notYetValidAuthority
        case selfSigned
        case unknownAuthority
        case wrongHost
        /// It has no `subjectAltName` that could be the host's.
        case noAlternativeName
        /// OpenSSL has another objection, in its words.
        case certificate(problem: String)
        /// No TLS version in common, or no TLS at all.
        case protocolVersion
        case noCommonCipher
        /// The server wants a certificate of ours.
        case clientCertificateRequired
        /// OpenSSL has nothing to speak TLS with, by its own configuration.
        case ownConfiguration
        /// There is nothing to check with, and why, as the rest of a sentence.
        case noAuthorities(String)
        case other
    }

    enum ProxyFault: Sendable, Hashable {
        /// Its name has no address. Not temporary: the name can't exist.
        case unresolved(temporary: Bool)
        /// Nobody listens there, or no way leads there.
        case unreachable
        /// It answered CONNECT with this status.
        case refused(status: Int)
        /// An HTTPS proxy whose certificate is refused.
        case untrusted(TrustFault)
        /// Its answer to CONNECT is larger than we accept.
        case tooLarge
        /// Its answer makes no sense, or its protocol is not supported.
        case unusable
        /// What names it, or the hosts that are reached without it, is malformed.
        case misconfigured
    }

    var kind: Kind
    /// One sentence for people. Never a header, a body, a user or a password.
    var message: String
    /// A kept connection turned out to be dead: another attempt belongs on a new one.
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
