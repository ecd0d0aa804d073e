import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform

/// A connection for another protocol than HTTP: libcurl resolves the name, connects and sets up TLS on the `CurlMulti`,
/// and then carries bytes.
///
/// While it connects, libcurl has the `CurlMulti` watch its socket. Afterwards libcurl leaves the socket alone, and the
/// stream watches it itself. Its handle stays with the `CurlMulti`, because libcurl closes the connection with it.
///
/// Not `Sendable`: everything happens on the loop.
final class CurlStream: EventSource, CurlHandle {
    enum Event {
        case opened
        case received(UnsafeRawBufferPointer)
        /// The Unix socket has as many connections waiting as its owner allows (listen(2)). It is closed; no other event
        /// follows. There is room again as soon as the owner accepts one.
        case backlogFull
        /// It is closed. No other event follows.
        case ended(TransportFailure)
    }

    private enum State {
        case connecting
        case open(EventLoop.Watch)
        case closed
    }

    /// The largest plaintext of a TLS record (RFC 8446, section 5.1). No smaller, or what OpenSSL keeps of a record would
    /// wait for an event on the socket that may never come.
    private static let receiveBufferBytes = 16 << 10
    /// How often it is read from before the loop's other descriptors get their turn.
    private static let mostReads = 16

    let handle: UnsafeMutableRawPointer
    private let peer: Peer
    private let tls: TLSSetup?
    private let multi: CurlMulti
    private let loop: EventLoop
    private let handler: (Event) -> Void
    /// libcurl writes the text of its last error here.
    private let errorText: UnsafeMutablePointer<CChar>
    private let receiveBuffer: UnsafeMutableRawBufferPointer
    private var output = Output()
    private var state = State.connecting
    private var hasReceived = false

    /// Begins to connect. No event comes before this returns.
    ///
    /// - Parameters:
    ///   - authorities: whose certificates are accepted; not used without TLS.
    ///   - longestConnect: for the name, TCP and TLS together. libcurl divides it among the addresses of the name.
    /// - Throws: a failure of the kind `setup` if libcurl refuses.
    init(
        to peer: Peer, authorities: CertificateAuthorities?, longestConnect: Duration, multi: CurlMulti,
        loop: EventLoop, handler: @escaping (Event) -> Void
    ) throws(TransportFailure) {
        guard let handle = curl_easy_init() else {
            throw TransportFailure(.setup, message: "libcurl has no memory for another connection.")
        }
        self.handle = handle
        self.peer = peer
        self.multi = multi
        self.loop = loop
        self.handler = handler
        tls = peer.usesTLS ? authorities.map { TLSSetup($0) } : nil
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        receiveBuffer = .allocate(byteCount: Self.receiveBufferBytes, alignment: 16)
        try configure(longestConnect)
        try multi.add(self)
    }

    deinit {
        // Before the memory that it points to.
        curl_easy_cleanup(handle)
        errorText.deallocate()
        receiveBuffer.deallocate()
    }

    var isConnecting: Bool { if case .connecting = state { true } else { false } }

    private var isClosed: Bool { if case .closed = state { true } else { false } }

    // MARK: Configuration

    private func configure(_ longestConnect: Duration) throws(TransportFailure) {
        try set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        try set(CURLOPT_URL, peer.url)
        try set(CURLOPT_PROTOCOLS_STR, "https,http")
        try set(CURLOPT_UNIX_SOCKET_PATH, peer.socketPath)
        try set(CURLOPT_CONNECT_ONLY, 1)
        // The empty text means none; nil would let libcurl read the environment.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_NOPROXY, "*")
        try set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        try set(CURLOPT_NOSIGNAL, 1)
        // Otherwise closing it while it connects would wait for the name lookup.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_TCP_NODELAY, 1)
        try set(CURLOPT_BUFFERSIZE, Self.receiveBufferBytes)
        try set(CURLOPT_CONNECTTIMEOUT_MS, Int(longestConnect.millisecondsRoundedUp))
        // The name may have moved to another machine since the last connection.
        try set(CURLOPT_DNS_CACHE_TIMEOUT, 0)
        if let tls { try configure(tls) }
    }

    private func configure(_ tls: TLSSetup) throws(TransportFailure) {
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSL_ENABLE_ALPN, 0)
        // Otherwise libcurl reads its built-in defaults.
        try set(CURLOPT_CAINFO, nil as String?)
        try set(CURLOPT_CAPATH, nil as String?)
        try check(clibcurl_easy_set_ssl_ctx_callback(handle, curlIsAboutToSetUpTLS), CURLOPT_SSL_CTX_FUNCTION)
        try set(CURLOPT_SSL_CTX_DATA, Unmanaged.passUnretained(tls).toOpaque())
        try tls.beginTransfer(hasTLSProxy: false) { folder, label throws(TransportFailure) in
            try set(CURLOPT_CAPATH, folder)
            try set(CURLOPT_CAINFO_BLOB, label)
        }
        guard let identity = peer.identity else { return }
        // Otherwise OpenSSL would ask for the password of an encrypted key, on the terminal.
        try set(CURLOPT_KEYPASSWD, "")
        for (option, secret) in [(CURLOPT_SSLCERT_BLOB, identity.certificate), (CURLOPT_SSLKEY_BLOB, identity.key)] {
            try secret.withBytes { bytes throws(TransportFailure) in
                // `peer` keeps them as long as the handle lives.
                try set(option, UnsafeRawBufferPointer(bytes), flags: CURL_BLOB_NOCOPY)
            }
        }
    }

    // MARK: Events

    /// Makes libcurl look after it in the next turn, while it connects.
    ///
    /// libcurl 7.88 sets no timer for giving up the first of two addresses, and then has neither a timer nor a socket until
    /// it is asked to try the next one. The end of a pause is a reason for a turn at once.
    func nudge() {
        // They fail before there is a connection to pause, when there is nothing to do either.
        _ = curl_easy_pause(handle, CURLPAUSE_RECV)
        _ = curl_easy_pause(handle, CURLPAUSE_CONT)
    }

    /// libcurl has connected, or given up.
    func connected(_ code: CURLcode) {
        guard isConnecting else { return }
        var socket = curl_socket_t(-1)
        guard code == CURLE_OK,
            clibcurl_easy_get_socket(handle, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK, socket >= 0
        else {
            // It no longer counts as connecting.
            state = .closed
            multi.remove(self)
            if code == CURLE_COULDNT_CONNECT, isBacklogFull { return handler(.backlogFull) }
            return handler(.ended(failure(code == CURLE_OK ? CURLE_RECV_ERROR : code)))
        }
        state = .open(loop.watch(socket, for: .readable, by: self))
        handler(.opened)
        // At once, because from its first read or write on libcurl knows that the connection is in use. It closes unused
        // ones that are old, or have something to read.
        receive()
    }

    /// Never called: the loop knows it only as the owner of a watch.
    func run() -> Duration? { nil }

    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {
        if events.contains(.writable) {
            do throws(TransportFailure) { try flush() } catch { return end(error) }
        }
        receive()
    }

    /// Reads what has arrived.
    func receive() {
        for _ in 0..<Self.mostReads {
            guard case .open = state else { return }
            var count = 0
            let code = curl_easy_recv(handle, receiveBuffer.baseAddress, receiveBuffer.count, &count)
            if code == CURLE_AGAIN { return }
            guard code == CURLE_OK, count > 0 else { return end(failure(code == CURLE_OK ? CURLE_RECV_ERROR : code)) }
            hasReceived = true
            handler(.received(UnsafeRawBufferPointer(rebasing: receiveBuffer[..<count])))
        }
    }

    // MARK: Output

    /// Writes bytes, in one piece if the system takes them. What it does not take now is written later.
    ///
    /// - Throws: if the connection is lost. The stream is then closed, and tells no event.
    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportFailure) {
        output.append(bytes)
        do {
            try flush()
        } catch {
            close()
            throw error
        }
    }

    private func flush() throws(TransportFailure) {
        guard case .open(let watch) = state else { return }
        while let bytes = output.next {
            var count = 0
            let code = curl_easy_send(handle, bytes.baseAddress, bytes.count, &count)
            if code == CURLE_AGAIN { return loop.change(watch, to: [.readable, .writable]) }
            guard code == CURLE_OK else { throw failure(code) }
            output.remove(count)
        }
        loop.change(watch, to: .readable)
    }

    // MARK: End

    /// Closes the connection and says why.
    func end(_ failure: TransportFailure) {
        guard !isClosed else { return }
        close()
        handler(.ended(failure))
    }

    /// Closes the connection, without an event.
    func close() {
        // The watch first: afterwards the descriptor may be another connection's.
        if case .open(let watch) = state { loop.remove(watch) }
        guard !isClosed else { return }
        // It may still be connecting.
        multi.remove(self)
        state = .closed
        output.wipe()
    }

    /// For a Unix socket, connect(2) has `EAGAIN` only for a full backlog. libcurl takes it for a connection in progress,
    /// and then finds neither a connection nor an error.
    private var isBacklogFull: Bool { peer.socketPath != nil && unixSocketError == 0 }

    /// Why a Unix socket could not be connected to. libcurl has no error number, either, if it could make no socket.
    private var unixSocketError: Int32 {
        systemError == 0 ? Descriptors.unixSocketProblem?.errorNumber ?? 0 : systemError
    }

    private var systemError: Int32 { Int32(truncatingIfNeeded: long(CURLINFO_OS_ERRNO)) }

    /// Why it takes too long to connect.
    var delay: TransportFailure { failure(CURLE_OPERATION_TIMEDOUT) }

    private func failure(_ code: CURLcode) -> TransportFailure {
        var evidence = TransferEvidence(code: code, service: peer.name)
        evidence.systemError = systemError
        evidence.certificateError = long(CURLINFO_SSL_VERIFYRESULT)
        evidence.tlsReason = TransferEvidence.tlsReason(in: String(cString: errorText))
        evidence.nameWasResolved = offset(CURLINFO_NAMELOOKUP_TIME_T) > 0
        evidence.wasConnected = long(CURLINFO_LOCAL_PORT) > 0
        evidence.authoritiesProblem = tls?.problem?.text
        evidence.depthOfRefusal = tls?.handshake?.depthOfRefusal
        evidence.wasAskedForCertificate = tls?.handshake?.wasAskedForCertificate ?? false
        evidence.lacksRandomness = code == CURLE_SSL_CONNECT_ERROR && RAND_status() != 1
        evidence.lacksDescriptors =
            Descriptors.areExhausted || tls?.problem?.isLackOfDescriptors ?? false
            || tls?.handshake?.lackedDescriptors ?? false
        var failure = TransportFailure(evidence)
        if code == CURLE_COULDNT_CONNECT, peer.socketPath != nil, case let error = unixSocketError, error != 0 {
            failure.message = "\(peer.name) can't be opened: \(PlatformError.text(of: error))."
        }
        // In TLS 1.3 a server refuses a client after the handshake, and its reason may get lost.
        if case .connectionLost = failure.kind, evidence.wasAskedForCertificate, peer.identity == nil, !hasReceived {
            failure.message =
                "\(peer.name) closed the connection after it asked for a client certificate, and there is none to send."
        }
        if code == CURLE_SSL_CERTPROBLEM {
            failure.message = "The client certificate for \(peer.name) or its key can't be used; check both PEM files."
        }
        return failure
    }
}

extension CurlStream {
    /// Whom a stream connects to.
    struct Peer {
        /// The client's certificate and its private key, in PEM form.
        struct Identity {
            let certificate: SecretBytes
            let key: SecretBytes
        }

        /// What messages call it: `redis://HOST:PORT`. Scheme, host and port.
        let name: String
        /// `http://HOST:PORT`, or `https://` for TLS.
        let url: String
        /// Of a Unix socket; nil for TCP.
        let socketPath: String?
        let usesTLS: Bool
        let identity: Identity?
    }

    /// What is to be written. It is wiped once it is, because it may contain a password.
    private struct Output: ~Copyable {
        /// What libcurl was given, or is given next. It does not move: OpenSSL must be given the same memory again.
        private var current = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        private var written = 0
        /// What follows.
        private var following: [UInt8] = []

        deinit { current.deallocate() }

        var next: UnsafeRawBufferPointer? {
            written < current.count ? UnsafeRawBufferPointer(rebasing: current[written...]) : nil
        }

        mutating func append(_ bytes: UnsafeRawBufferPointer) {
            if next == nil { replace(with: bytes) } else { following.append(contentsOf: bytes) }
        }

        mutating func remove(_ count: Int) {
            written += count
            guard written == current.count else { return }
            let following = following
            self.following = []
            following.withUnsafeBytes { replace(with: $0) }
        }

        mutating func wipe() {
            following = []
            replace(with: UnsafeRawBufferPointer(start: nil, count: 0))
        }

        private mutating func replace(with bytes: UnsafeRawBufferPointer) {
            OPENSSL_cleanse(current.baseAddress, current.count)
            current.deallocate()
            current = .allocate(byteCount: bytes.count, alignment: 1)
            current.copyMemory(from: bytes)
            written = 0
        }
    }
}
