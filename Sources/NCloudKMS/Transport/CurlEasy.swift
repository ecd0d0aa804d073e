import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform

/// Owns one `CURL *`: configured once, used for one transfer after another. On one thread at a time.
final class CurlEasy: CurlHandle {
    /// Connections older than this are closed instead of reused.
    static let longestConnectionLife = Duration.seconds(300)

    /// Connections idle for longer are not reused: gateways and load balancers commonly drop them after 60 s.
    static let longestIdle = Duration.seconds(55)

    /// How long the addresses of a name are cached, unless connecting to them fails.
    private static let longestNameMemory = Duration.seconds(60)

    /// A typical answer, with its header, is below 2 KiB.
    private static let receiveBufferBytes = 4 << 10
    /// libcurl's minimum; a request is below 1 KiB.
    private static let sendBufferBytes = 16 << 10

    let handle: UnsafeMutableRawPointer
    private let collector: ResponseCollector
    let watch: TransferWatch
    private let configuration: TransportConfiguration
    private let tls: TLSSetup
    /// Nil: there is none, or none that can be used.
    private let proxy: ProxyConfiguration?
    private var memory = RequestMemory()
    /// libcurl writes the text of its last error here.
    private let errorText: UnsafeMutablePointer<CChar>
    /// Scheme, host and port of the request's service.
    private(set) var service = ""
    /// The current transfer; nil if there is none.
    var transfer: TransferID?

    /// The settings that rarely differ between requests, as currently set; nil: unknown.
    private struct Route: Equatable {
        var isDirect: Bool
        var allowsPlainHTTP: Bool
        var needsNewConnection: Bool
        /// With an HTTPS proxy no connection is reused: the proxy's TLS may already have decrypted a surplus answer,
        /// where it can't be detected.
        var hasTLSProxy: Bool
        var looksNameUpAnew: Bool
    }
    private var route: Route?

    init(
        _ configuration: TransportConfiguration, authorities: CertificateAuthorities, connections: ConnectionTable,
        clock: any TimeSource
    ) throws(TransportFailure) {
        guard let handle = curl_easy_init() else {
            throw TransportFailure(.setup, message: "libcurl has no memory for another transfer.")
        }
        self.handle = handle
        self.configuration = configuration
        proxy = (try? configuration.proxy.get()) ?? nil
        tls = TLSSetup(authorities)
        collector = ResponseCollector(clock: clock)
        watch = TransferWatch(handle, collector: collector, connections: connections, clock: clock)
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try configure(connections)
    }

    deinit {
        // Before the memory that it points to.
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// The owner of a handle, which must be one of ours.
    static func owner(of handle: UnsafeMutableRawPointer) -> CurlEasy? {
        var owner: UnsafeMutableRawPointer?
        guard clibcurl_easy_get_pointer(handle, CURLINFO_PRIVATE, &owner) == CURLE_OK, let owner else { return nil }
        return Unmanaged<CurlEasy>.fromOpaque(owner).takeUnretainedValue()
    }

    // MARK: Initial configuration

    private func configure(_ connections: ConnectionTable) throws(TransportFailure) {
        try set(CURLOPT_PRIVATE, Unmanaged.passUnretained(self).toOpaque())
        try configureProtocol()
        try configureTrust()
        try configureProxy()

        let collector = Unmanaged.passUnretained(collector).toOpaque()
        try set(CURLOPT_HEADERDATA, collector)
        try check(
            clibcurl_easy_set_write_callback(handle, CURLOPT_HEADERFUNCTION, curlReceivedHeaderLine),
            CURLOPT_HEADERFUNCTION)
        try set(CURLOPT_WRITEDATA, collector)
        try check(
            clibcurl_easy_set_write_callback(handle, CURLOPT_WRITEFUNCTION, curlReceivedBody), CURLOPT_WRITEFUNCTION)
        try configureWatch(connections)
        try set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
    }

    private func configureWatch(_ connections: ConnectionTable) throws(TransportFailure) {
        let watch = Unmanaged.passUnretained(watch).toOpaque()
        try set(CURLOPT_PREREQDATA, watch)
        try check(clibcurl_easy_set_prereq_callback(handle, curlIsAboutToSend), CURLOPT_PREREQFUNCTION)
        try set(CURLOPT_XFERINFODATA, watch)
        try check(clibcurl_easy_set_progress_callback(handle, curlProgressed), CURLOPT_XFERINFOFUNCTION)
        try set(CURLOPT_NOPROGRESS, 0)
        try set(CURLOPT_SOCKOPTDATA, watch)
        try check(clibcurl_easy_set_sockopt_callback(handle, curlOpenedSocket), CURLOPT_SOCKOPTFUNCTION)
        try set(CURLOPT_CLOSESOCKETDATA, Unmanaged.passUnretained(connections).toOpaque())
        try check(clibcurl_easy_set_closesocket_callback(handle, curlClosesSocket), CURLOPT_CLOSESOCKETFUNCTION)
    }

    private func configureProtocol() throws(TransportFailure) {
        // With HTTP/2, libcurl 7.88 loses requests when a server recycles the connection.
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_HTTP09_ALLOWED, 0)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_USERAGENT, configuration.userAgent)
        try set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        try set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        try set(CURLOPT_COOKIEFILE, nil as String?)
        try set(CURLOPT_ACCEPT_ENCODING, nil as String?)
        try set(CURLOPT_HTTP_CONTENT_DECODING, 0)
        try set(CURLOPT_TRANSFER_ENCODING, 0)
        // `ChunkedBody` decodes, and counts what libcurl does not count.
        try set(CURLOPT_HTTP_TRANSFER_DECODING, 0)
        try check(
            clibcurl_easy_set_offset(
                handle, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(HTTPResponse.largestBodyBytes)),
            CURLOPT_MAXFILESIZE_LARGE)

        // Allocated and freed by every transfer; libcurl's defaults, 16 and 64 KiB, are meant for files.
        try set(CURLOPT_BUFFERSIZE, Self.receiveBufferBytes)
        try set(CURLOPT_UPLOAD_BUFFERSIZE, Self.sendBufferBytes)

        try set(CURLOPT_NOSIGNAL, 1)
        // Otherwise the end of a transfer waits for its name lookup, and blocks everything else on the loop.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_TCP_NODELAY, 1)
        // It includes name lookups, proxies and TLS, which have the attempt's time. `TransferWatch` limits only TCP.
        try set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(HTTPRequest.longestAttempt))
        try set(CURLOPT_MAXLIFETIME_CONN, Int(Self.longestConnectionLife.components.seconds))
        try set(CURLOPT_MAXAGE_CONN, Int(Self.longestIdle.components.seconds))
    }

    private func configureTrust() throws(TransportFailure) {
        for (version, peer, host) in [
            (CURLOPT_SSLVERSION, CURLOPT_SSL_VERIFYPEER, CURLOPT_SSL_VERIFYHOST),
            (CURLOPT_PROXY_SSLVERSION, CURLOPT_PROXY_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYHOST),
        ] {
            try set(version, Int(CURL_SSLVERSION_TLSv1_2))
            try set(peer, 1)
            try set(host, 2)
        }
        // Otherwise libcurl reads its built-in defaults. The authorities are read when a request needs them.
        for option in [CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO, CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH] {
            try set(option, nil as String?)
        }
        try check(clibcurl_easy_set_ssl_ctx_callback(handle, curlIsAboutToSetUpTLS), CURLOPT_SSL_CTX_FUNCTION)
        try set(CURLOPT_SSL_CTX_DATA, Unmanaged.passUnretained(tls).toOpaque())
    }

    /// Makes libcurl check new connections with the current authorities.
    private func setAuthorities(hasTLSProxy: Bool) throws(TransportFailure) {
        try tls.beginTransfer(hasTLSProxy: hasTLSProxy) { folder, label throws(TransportFailure) in
            for option in [CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH] { try set(option, folder) }
            for option in [CURLOPT_CAINFO_BLOB, CURLOPT_PROXY_CAINFO_BLOB] { try set(option, label) }
        }
    }

    /// An empty text means no proxy; nil would let libcurl read the environment.
    private func configureProxy() throws(TransportFailure) {
        try set(CURLOPT_PROXY, proxy?.url ?? "")
        try set(CURLOPT_NOPROXY, "")
        // Otherwise the proxy's answer to CONNECT would look like the service's.
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    }

    // MARK: Each transfer

    /// Prepares the handle to be added to a multi handle.
    ///
    /// - Parameter looksNameUpAnew: whether to look up the name even if libcurl has cached its addresses.
    func prepare(_ request: HTTPRequest, looksNameUpAnew: Bool = false) throws(TransportFailure) {
        try request.validate()
        if !request.isDirect, case .failure(let problem) = configuration.proxy {
            throw TransportFailure(.proxy(.misconfigured), message: "\(problem).")
        }
        collector.reset()
        let hasTLSProxy = !request.isDirect && proxy?.speaksTLS == true
        try setAuthorities(hasTLSProxy: hasTLSProxy)
        watch.begin(request)
        errorText[0] = 0
        if service != request.baseURL {
            service = ""
            try set(CURLOPT_URL, request.baseURL)
            service = request.baseURL
        }
        try setRoute(
            Route(
                isDirect: request.isDirect, allowsPlainHTTP: request.allowsPlainHTTP,
                needsNewConnection: request.needsNewConnection, hasTLSProxy: hasTLSProxy,
                looksNameUpAnew: looksNameUpAnew))
        // The target is sent exactly as it was signed, without libcurl's URL processing.
        try set(CURLOPT_REQUEST_TARGET, request.target)
        try set(CURLOPT_TIMEOUT_MS, Self.milliseconds(request.attemptTimeout))
        // An empty value disables `Expect: 100-continue`, which libcurl may add by itself.
        memory.load(headers: request.headers + [("Expect", "")], body: request.body)
        try check(clibcurl_easy_set_list(handle, CURLOPT_HTTPHEADER, memory.headerList), CURLOPT_HTTPHEADER)
        switch request.method {
        case .get:
            try set(CURLOPT_HTTPGET, 1)
        case .post:
            try set(CURLOPT_POST, 1)
            try check(
                clibcurl_easy_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(memory.body.count)),
                CURLOPT_POSTFIELDSIZE_LARGE)
            try set(CURLOPT_POSTFIELDS, memory.body.baseAddress)
        }
    }

    /// Prepares the handle to be added again for the same request, if it ended because its connection was unsuitable.
    func prepareForAnotherConnection() throws(TransportFailure) -> Bool {
        guard watch.wantsAnotherConnection || collector.isForeign, var route else { return false }
        watch.ended(isSound: false)
        watch.beginAgain()
        collector.reset()
        errorText[0] = 0
        route.needsNewConnection = true
        try setRoute(route)
        return true
    }

    /// The result of the transfer. Afterwards the handle is no longer on the multi handle.
    func finish(_ code: CURLcode) -> Result<HTTPResponse, TransportFailure> {
        defer { collector.reset() }
        watch.ended(isSound: code == CURLE_OK && !collector.hasSurplus)
        // libcurl takes a header that is cut between two lines for a complete one.
        let isWhole = collector.headerIsComplete && collector.bodyIsComplete
        let code = code == CURLE_OK && !isWhole ? CURLE_PARTIAL_FILE : code
        let succeeded = code == CURLE_OK || collector.switchedProtocols
        guard succeeded, let sent = collector.sent, let received = collector.received else {
            var failure = TransportFailure(evidence(for: watch.heldUpOthers ? CURLE_OPERATION_TIMEDOUT : code))
            failure.needsNewConnection = watch.noteLoss(failure)
            return .failure(failure)
        }
        return .success(
            HTTPResponse(
                status: collector.status, headers: collector.headers, body: collector.body, sent: sent,
                received: received, timing: timing(), reusedConnection: long(CURLINFO_NUM_CONNECTS) == 0))
    }

    /// Erases the request, once libcurl does not need it any more.
    func wipe() {
        // libcurl would read these again.
        _ = clibcurl_easy_set_list(handle, CURLOPT_HTTPHEADER, nil)
        _ = clibcurl_easy_set_pointer(handle, CURLOPT_POSTFIELDS, nil)
        memory.wipe()
    }

    private func setRoute(_ new: Route) throws(TransportFailure) {
        guard route != new else { return }
        route = nil
        try set(CURLOPT_NOPROXY, new.isDirect ? "*" : "")
        try set(CURLOPT_PROTOCOLS_STR, new.allowsPlainHTTP ? "https,http" : "https")
        try set(CURLOPT_FRESH_CONNECT, new.needsNewConnection ? 1 : 0)
        try set(CURLOPT_FORBID_REUSE, new.hasTLSProxy ? 1 : 0)
        try set(
            CURLOPT_DNS_CACHE_TIMEOUT, new.looksNameUpAnew ? 0 : Int(Self.longestNameMemory.components.seconds))
        route = new
    }

    /// At least 1, because 0 means no timeout (or libcurl's own).
    private static func milliseconds(_ duration: Duration) -> Int {
        max(1, Int(min(duration, HTTPRequest.longestAttempt).millisecondsRoundedUp))
    }

    // MARK: Information from libcurl

    /// What the transfer is doing now.
    var phase: TransportFailure.Phase { evidence(for: CURLE_OK).phase }

    private func evidence(for code: CURLcode) -> TransferEvidence {
        let text = String(cString: errorText)
        var evidence = TransferEvidence(code: code, service: service)
        evidence.systemError = Int32(truncatingIfNeeded: long(CURLINFO_OS_ERRNO))
        evidence.certificateError = long(CURLINFO_SSL_VERIFYRESULT)
        evidence.proxyCertificateError = long(CURLINFO_PROXY_SSL_VERIFYRESULT)
        evidence.hasTLSProxy = route?.hasTLSProxy ?? false
        evidence.tlsReason = TransferEvidence.tlsReason(in: text)
        evidence.proxyStatus = long(CURLINFO_HTTP_CONNECTCODE)
        evidence.namesProxy = proxy?.isNamed(in: text) ?? false
        evidence.proxyHost = proxy?.host ?? ""
        evidence.nameWasResolved = offset(CURLINFO_NAMELOOKUP_TIME_T) > 0
        // libcurl sets the connection time only once TLS is established, too.
        evidence.wasConnected = watch.isConnected
        evidence.requestWasSent = collector.sent != nil
        evidence.answerHasBegun = collector.received != nil
        evidence.isTooLarge = collector.isTooLarge
        evidence.authoritiesProblem = tls.problem?.text
        evidence.depthOfRefusal = tls.handshake?.depthOfRefusal
        evidence.wasAskedForCertificate = tls.handshake?.wasAskedForCertificate ?? false
        evidence.lacksRandomness = code == CURLE_SSL_CONNECT_ERROR && RAND_status() != 1
        evidence.proxyAnswerIsTooLarge = watch.proxyAnswerIsTooLarge
        evidence.isMalformed = collector.isMalformed
        evidence.wasAnsweredUnasked = watch.wasAnsweredUnasked
        // Those of the authorities have been released by now.
        evidence.lacksDescriptors =
            code != CURLE_OK && Descriptors.areExhausted || tls.problem?.isLackOfDescriptors ?? false
            || tls.handshake?.lackedDescriptors ?? false
        return evidence
    }

    private func timing() -> HTTPResponse.Timing {
        let lookup = offset(CURLINFO_NAMELOOKUP_TIME_T)
        let connect = offset(CURLINFO_CONNECT_TIME_T)
        let tls = offset(CURLINFO_APPCONNECT_TIME_T)
        let ready = offset(CURLINFO_PRETRANSFER_TIME_T)
        return HTTPResponse.Timing(
            nameLookup: lookup, connect: max(0, connect - lookup), tls: max(0, tls - connect),
            firstByte: max(0, offset(CURLINFO_STARTTRANSFER_TIME_T) - ready), total: offset(CURLINFO_TOTAL_TIME_T))
    }
}
