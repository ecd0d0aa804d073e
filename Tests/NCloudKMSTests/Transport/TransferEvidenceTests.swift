import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform
import Testing

@testable import NCloudKMS

/// The map from what libcurl says to our kinds of failure, row by row.
@Suite struct TransferEvidenceTests {
    /// How far a transfer came.
    enum Progress: CaseIterable {
        case none, resolved, connected, sent, answered
    }

    private static func evidence(
        _ code: CURLcode, _ progress: Progress = .none, systemError: Int32 = 0
    ) -> TransferEvidence {
        var evidence = TransferEvidence(code: code, service: "https://kms.example.com")
        evidence.systemError = systemError
        evidence.nameWasResolved = progress != .none
        evidence.wasConnected = progress != .none && progress != .resolved
        evidence.requestWasSent = progress == .sent || progress == .answered
        evidence.answerHasBegun = progress == .answered
        return evidence
    }

    @Test(
        arguments: [
            (.none, .resolving), (.resolved, .connecting), (.connected, .handshake), (.sent, .waiting),
            (.answered, .receiving),
        ] as [(Progress, TransportFailure.Phase)])
    func `a time-out names the phase`(
        progress: Progress, phase: TransportFailure.Phase
    ) {
        let failure = TransportFailure(Self.evidence(CURLE_OPERATION_TIMEDOUT, progress))
        #expect(failure.kind == .timedOut(phase))
        #expect(failure.repetition == .afterBackoff)
    }

    @Test(
        arguments: [
            (CURLE_COULDNT_RESOLVE_HOST, 0, .none, .nameResolution(temporary: true), .afterBackoff),
            (CURLE_COULDNT_RESOLVE_PROXY, 0, .none, .proxy(.unresolved(temporary: true)), .afterBackoff),
            (CURLE_COULDNT_CONNECT, ECONNREFUSED, .resolved, .connectionRefused, .afterBackoff),
            (CURLE_COULDNT_CONNECT, ENETUNREACH, .resolved, .unreachable, .afterBackoff),
            (CURLE_COULDNT_CONNECT, EHOSTUNREACH, .resolved, .unreachable, .afterBackoff),
            (CURLE_COULDNT_CONNECT, ETIMEDOUT, .resolved, .timedOut(.connecting), .afterBackoff),
            (CURLE_COULDNT_CONNECT, EACCES, .resolved, .unreachable, .afterBackoff),
            (CURLE_SSL_CONNECT_ERROR, ECONNRESET, .connected, .connectionLost(.reset), .afterBackoff),
            (CURLE_SSL_CONNECT_ERROR, ETIMEDOUT, .connected, .timedOut(.handshake), .afterBackoff),
            (CURLE_SSL_CONNECT_ERROR, 0, .connected, .connectionLost(.closed), .afterBackoff),
            (CURLE_SEND_ERROR, EPIPE, .sent, .connectionLost(.reset), .afterBackoff),
            (CURLE_SEND_ERROR, 0, .sent, .connectionLost(.closed), .afterBackoff),
            (CURLE_RECV_ERROR, ECONNRESET, .sent, .connectionLost(.reset), .afterBackoff),
            (CURLE_RECV_ERROR, ETIMEDOUT, .sent, .timedOut(.waiting), .afterBackoff),
            (CURLE_RECV_ERROR, 0, .answered, .connectionLost(.cut), .afterBackoff),
            (CURLE_GOT_NOTHING, 0, .sent, .connectionLost(.empty), .afterBackoff),
            (CURLE_PARTIAL_FILE, 0, .answered, .connectionLost(.cut), .afterBackoff),
            (CURLE_FILESIZE_EXCEEDED, 0, .answered, .tooLarge, .never),
            (CURLE_OUT_OF_MEMORY, 0, .sent, .tooLarge, .never), (CURLE_OUT_OF_MEMORY, 0, .none, .setup, .never),
            (CURLE_UNSUPPORTED_PROTOCOL, 0, .sent, .badResponse, .once),
            (CURLE_UNSUPPORTED_PROTOCOL, 0, .none, .setup, .never),
            (CURLE_WEIRD_SERVER_REPLY, 0, .sent, .badResponse, .once), (CURLE_HTTP2, 0, .sent, .badResponse, .once),
            (CURLE_WRITE_ERROR, 0, .answered, .badResponse, .once),
            (
                CURLE_SSL_CACERT_BADFILE, 0, .connected,
                .untrusted(.noAuthorities("its certificate authorities can't be read")), .never
            ),
            (CURLE_SSL_CIPHER, 0, .connected, .untrusted(.noCommonCipher), .never),
            (CURLE_SSL_CERTPROBLEM, 0, .connected, .untrusted(.other), .never),
            (CURLE_SSL_CLIENTCERT, 0, .connected, .untrusted(.other), .never),
            (CURLE_SSL_INVALIDCERTSTATUS, 0, .connected, .untrusted(.other), .never),
            (CURLE_PROXY, 0, .connected, .proxy(.unusable), .never),
            (CURLE_URL_MALFORMAT, 0, .none, .setup, .never), (CURLE_FAILED_INIT, 0, .none, .setup, .never),
            (CURLE_ABORTED_BY_CALLBACK, 0, .connected, .setup, .never),
        ] as [(CURLcode, Int32, Progress, TransportFailure.Kind, Repetition)])
    func `a code is a kind, and the kind says whether to repeat`(
        code: CURLcode, systemError: Int32, progress: Progress, kind: TransportFailure.Kind,
        repetition: Repetition
    ) {
        let failure = TransportFailure(Self.evidence(code, progress, systemError: systemError))
        #expect(failure.kind == kind)
        #expect(failure.repetition == repetition)
    }

    @Test(
        arguments: [
            (X509_V_OK, 0, .wrongHost), (X509_V_ERR_UNSPECIFIED, 0, .wrongHost),
            (X509_V_ERR_HOSTNAME_MISMATCH, 0, .wrongHost),
            (X509_V_ERR_APPLICATION_VERIFICATION, 0, .noAlternativeName),
            (X509_V_ERR_CERT_HAS_EXPIRED, 0, .expired), (X509_V_ERR_CERT_NOT_YET_VALID, 0, .notYetValid),
            (X509_V_ERR_CERT_HAS_EXPIRED, 1, .expiredAuthority), (X509_V_ERR_CERT_HAS_EXPIRED, 2, .expiredAuthority),
            (X509_V_ERR_CERT_NOT_YET_VALID, 1, .notYetValidAuthority),
            (X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0, .selfSigned),
            (X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 1, .unknownAuthority),
            (X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0, .unknownAuthority),
            (X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, 0, .unknownAuthority),
            (X509_V_ERR_CERT_REVOKED, 0, .certificate(problem: "certificate revoked")),
            (X509_V_ERR_EE_KEY_TOO_SMALL, 0, .certificate(problem: "EE certificate key too weak")),
        ] as [(Int32, Int, TransportFailure.TrustFault)])
    func `a certificate's fault is told by OpenSSL's number, and by whose it is`(
        number: Int32, depth: Int, fault: TransportFailure.TrustFault
    ) {
        var evidence = Self.evidence(CURLE_PEER_FAILED_VERIFICATION, .connected)
        evidence.certificateError = Int(number)
        evidence.depthOfRefusal = depth
        #expect(TransportFailure(evidence).kind == .untrusted(fault))
        #expect(TransportFailure(evidence).repetition == .never)
    }

    @Test(
        arguments: [
            ("error:0A000102:SSL routines::unsupported protocol", 0x102),
            ("OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0", 0x45C),
            ("OpenSSL SSL_connect: Connection reset by peer in connection to 127.0.0.1:443", nil),
            ("error:0A", nil), ("error:", nil), ("", nil),
            // Another library's error: not a matter of TLS itself.
            ("error:0480006C:PEM routines::no start line", nil),
        ] as [(String, Int32?)])
    func `the reason of a TLS error is in libcurl's text`(text: String, reason: Int32?) {
        #expect(TransferEvidence.tlsReason(in: text) == reason)
    }

    @Test(
        arguments: [
            (SSL_R_UNSUPPORTED_PROTOCOL, .untrusted(.protocolVersion)),
            (SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, .untrusted(.protocolVersion)),
            (SSL_R_WRONG_VERSION_NUMBER, .untrusted(.protocolVersion)),
            (SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, .untrusted(.noCommonCipher)),
            (SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, .untrusted(.clientCertificateRequired)),
            (SSL_R_NO_PROTOCOLS_AVAILABLE, .untrusted(.ownConfiguration)),
            (SSL_R_NO_CIPHERS_AVAILABLE, .untrusted(.ownConfiguration)),
            (SSL_R_UNEXPECTED_EOF_WHILE_READING, .connectionLost(.closed)),
            (SSL_R_TLSV1_ALERT_INTERNAL_ERROR, .connectionLost(.closed)),
            (SSL_R_TLSV1_ALERT_USER_CANCELLED, .connectionLost(.closed)),
            (SSL_R_SSLV3_ALERT_BAD_RECORD_MAC, .connectionLost(.closed)),
            (SSL_R_TLSV1_ALERT_DECRYPTION_FAILED, .connectionLost(.closed)),
            (SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, .connectionLost(.closed)),
        ] as [(Int32, TransportFailure.Kind)])
    func `a TLS error is a question of trust, but for a connection that breaks`(
        reason: Int32, kind: TransportFailure.Kind
    ) {
        for code in [CURLE_SSL_CONNECT_ERROR, CURLE_RECV_ERROR] {
            var evidence = Self.evidence(code, .connected)
            evidence.tlsReason = reason
            #expect(TransportFailure(evidence).kind == kind)
        }
    }

    @Test(
        arguments: [(0, 0, true, false), (0, 10, true, true), (0, 10, false, false), (200, 10, true, false)]
            as [(Int, Int32, Bool, Bool)])
    func `a certificate is the proxy's until the proxy has answered CONNECT`(
        status: Int, proxyError: Int32, hasTLSProxy: Bool, isProxys: Bool
    ) {
        var evidence = Self.evidence(CURLE_PEER_FAILED_VERIFICATION, .connected)
        evidence.certificateError = Int(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
        evidence.proxyCertificateError = Int(proxyError)
        evidence.proxyStatus = status
        evidence.hasTLSProxy = hasTLSProxy
        let failure = TransportFailure(evidence)
        #expect(failure.kind == (isProxys ? .proxy(.untrusted(.expired)) : .untrusted(.selfSigned)))
        #expect(failure.repetition == .never)
        #expect(failure.message.contains(isProxys ? "The proxy is not trusted" : "kms.example.com"))
    }

    @Test func `a handshake that fails after a certificate request fails because of the missing certificate`() {
        var evidence = Self.evidence(CURLE_SSL_CONNECT_ERROR, .connected)
        evidence.tlsReason = SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE
        evidence.wasAskedForCertificate = true
        #expect(TransportFailure(evidence).kind == .untrusted(.clientCertificateRequired))
    }

    @Test func `an OpenSSL that is not fit for TLS is told from a connection that was lost`() {
        var evidence = Self.evidence(CURLE_SSL_CONNECT_ERROR, .connected)
        evidence.lacksRandomness = true
        #expect(TransportFailure(evidence).kind == .untrusted(.ownConfiguration))
        evidence = Self.evidence(CURLE_OUT_OF_MEMORY, .connected)
        evidence.tlsReason = SSL_R_LIBRARY_HAS_NO_CIPHERS
        #expect(TransportFailure(evidence).kind == .untrusted(.ownConfiguration))
    }

    @Test func `an authority that no descriptor was left to read is no question of trust`() {
        var evidence = Self.evidence(CURLE_PEER_FAILED_VERIFICATION, .connected)
        evidence.certificateError = Int(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
        #expect(TransportFailure(evidence).kind == .untrusted(.unknownAuthority))
        evidence.lacksDescriptors = true
        #expect(TransportFailure(evidence).kind == .noDescriptor)
        #expect(TransportFailure(evidence).repetition == .afterBackoff)
    }

    @Test func `what is too large is so whatever code ended it`() {
        var evidence = Self.evidence(CURLE_WRITE_ERROR, .answered)
        evidence.isTooLarge = true
        #expect(TransportFailure(evidence).kind == .tooLarge)
    }

    @Test(arguments: [true, false], [true, false])
    func `a name that can't exist is that of the host whose address was sought`(
        isServiceReal: Bool, isProxyReal: Bool
    ) {
        var evidence = Self.evidence(CURLE_COULDNT_RESOLVE_PROXY)
        evidence.service = isServiceReal ? "https://kms.example.com" : "https://kms.invalid"
        evidence.proxyHost = isProxyReal ? "proxy.example.com" : "proxy.invalid"
        #expect(evidence.kind == .proxy(.unresolved(temporary: isProxyReal)))
        // Nor is it the want of descriptors that kept it from being found.
        evidence.lacksDescriptors = true
        #expect((evidence.kind == .noDescriptor) == isProxyReal)
        evidence.code = CURLE_COULDNT_RESOLVE_HOST
        #expect((evidence.kind == .noDescriptor) == isServiceReal)
        evidence.lacksDescriptors = false
        #expect(evidence.kind == .nameResolution(temporary: isServiceReal))
    }

    @Test func `a proxy's refusal is its own`() {
        var evidence = Self.evidence(CURLE_RECV_ERROR, .connected)
        evidence.proxyStatus = 407
        #expect(TransportFailure(evidence).kind == .proxy(.refused(status: 407)))
        evidence.proxyStatus = 200
        #expect(TransportFailure(evidence).kind == .connectionLost(.closed))
        evidence = Self.evidence(CURLE_COULDNT_CONNECT, .resolved, systemError: ECONNREFUSED)
        evidence.namesProxy = true
        #expect(TransportFailure(evidence).kind == .proxy(.unreachable))
    }

    @Test(arguments: 1..<UInt32(CURL_LAST.rawValue), Progress.allCases)
    func `every code has one sentence at every stage`(code: UInt32, progress: Progress) {
        let failure = TransportFailure(Self.evidence(CURLcode(code), progress))
        #expect(failure.message.hasSuffix(".") && failure.message.first?.isLetter == true)
        #expect(!failure.message.contains("\n"))
    }

    @Test(
        arguments: [
            (CURLE_SSL_CACERT_BADFILE, .connected, true), (CURLE_COULDNT_CONNECT, .resolved, true),
            (CURLE_COULDNT_RESOLVE_HOST, .none, true), (CURLE_PEER_FAILED_VERIFICATION, .connected, false),
            (CURLE_RECV_ERROR, .sent, false), (CURLE_OPERATION_TIMEDOUT, .none, false),
        ] as [(CURLcode, Progress, Bool)], [0, EMFILE, ECONNREFUSED] as [Int32])
    func `a want of descriptors is named where no other cause is known`(
        row: (code: CURLcode, progress: Progress, isCause: Bool), systemError: Int32
    ) {
        let isCause = row.isCause && (row.code != CURLE_COULDNT_CONNECT || systemError != ECONNREFUSED)
        var evidence = Self.evidence(row.code, row.progress, systemError: systemError)
        evidence.lacksDescriptors = true
        #expect((evidence.kind == .noDescriptor) == isCause)
        #expect(!isCause || TransportFailure(evidence).repetition == .afterBackoff)
    }
}
