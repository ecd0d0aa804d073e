import CKMSLibcurl

extension TransportFailure {
    /// The failure that the evidence shows.
    init(_ evidence: TransferEvidence) {
        let kind = evidence.kind
        self.init(kind, message: Self.message(kind, evidence))
    }

    /// Of libcurl's own texts only the fixed text of the code is used: the others may contain a proxy's password.
    private static func message(_ kind: Kind, _ evidence: TransferEvidence) -> String {
        let service = evidence.service
        return switch kind {
        case .nameResolution: "The host name in \(service) has no address; check the endpoint and the name servers."
        case .connectionRefused: "\(service) refused the connection."
        case .unreachable: "\(service) can't be reached; check the network and the endpoint."
        case .connectionLost(let loss): "\(service) \(text(of: loss))."
        case .timedOut(let phase): "\(service) took too long; the time ran out while \(text(of: phase))."
        case .untrusted(let fault): "\(service) is not trusted: \(text(of: fault))."
        case .proxy(let fault): text(of: fault)
        case .tooLarge: "The answer from \(service) is larger than \(HTTPResponse.largestBodyBytes >> 10) KiB."
        case .badResponse: "The answer from \(service) is not HTTP."
        case .noFreeConnection: "Every connection is in use."
        case .noDescriptor: "This process can't open more files and sockets; raise its limit (ulimit -n)."
        case .setup:
            "The request to \(service) could not be made: \(String(cString: curl_easy_strerror(evidence.code)))."
        }
    }

    private static func text(of loss: Loss) -> String {
        switch loss {
        case .reset: "reset the connection"
        case .closed: "closed the connection"
        case .empty: "closed the connection without an answer"
        case .cut: "closed the connection in the middle of its answer"
        case .unasked: "sent an answer before it received the request"
        }
    }

    private static func text(of phase: Phase) -> String {
        switch phase {
        case .resolving: "looking up its name"
        case .connecting: "connecting"
        case .handshake: "setting up TLS"
        case .waiting: "waiting for the answer"
        case .receiving: "receiving the answer"
        }
    }

    private static func text(of fault: TrustFault) -> String {
        switch fault {
        case .expired: "its certificate has expired"
        case .notYetValid: "its certificate is not valid yet (is the clock correct?)"
        case .expiredAuthority:
            "the certificate of an authority in its chain has expired; trust a newer one of that authority, if there is one"
        case .notYetValidAuthority:
            "the certificate of an authority in its chain is not valid yet (is the clock correct?)"
        case .selfSigned: "its certificate is self-signed"
        case .unknownAuthority: "its certificate is signed by an authority that is not trusted here"
        case .wrongHost: "its certificate is for another host"
        case .noAlternativeName:
            "its certificate has no subjectAltName with a host, and the common name is not used (RFC 9110)"
        case .certificate(let problem): "OpenSSL refuses its certificate: \(problem)"
        case .protocolVersion: "it does not support TLS 1.2 or newer"
        case .noCommonCipher:
            "it has no TLS cipher in common with this machine; check its settings and OpenSSL's configuration here (OPENSSL_CONF)"
        case .clientCertificateRequired: "it requires a client certificate, and there is none to send"
        case .ownConfiguration: "OpenSSL can't set up TLS here; check its configuration (OPENSSL_CONF)"
        case .noAuthorities(let problem): problem
        case .other: "the TLS connection could not be verified"
        }
    }

    private static func text(of fault: ProxyFault) -> String {
        switch fault {
        case .unresolved: "The proxy's name has no address."
        case .unreachable: "The proxy can't be reached."
        case .refused(407): "The proxy requires a user name and a password (status 407)."
        case .refused(let status): "The proxy refused the connection to the service (status \(status))."
        case .untrusted(let fault): "The proxy is not trusted: \(text(of: fault))."
        case .tooLarge: "The proxy's answer is larger than \(TunnelBudget.largestBytes >> 10) KiB."
        case .unusable: "The proxy's answer is not valid."
        case .misconfigured: "The proxy's configuration can't be used."
        }
    }
}
