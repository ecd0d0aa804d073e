import CKMSLibcurl
import KMSPlatform

/// Identifies one transfer of a `CurlMulti`.
typealias TransferID = SlotMap<CurlMulti.Transfer>.ID

/// Owns one `CURLM *` and its easy handles: runs many transfers at once on an `EventLoop`, which watches libcurl's
/// sockets and provides its timer.
///
/// It has no queue: the engine keeps everything that has no connection yet, so that a request is signed and its
/// attempt's time begins only when a connection is free. The engine also cancels what passes its deadline.
///
/// Not `Sendable`: everything happens on the loop.
final class CurlMulti: EventSource {
    /// Receives the result of a transfer, once, unless it is cancelled.
    typealias Completion = (Result<HTTPResponse, TransportFailure>) -> Void

    struct Transfer {
        fileprivate let easy: CurlEasy
        fileprivate let completion: Completion
    }

    /// libcurl 7.88 sets no timer for giving up the first of two addresses, so it gets a turn at this interval while it
    /// connects.
    private static let longestPauseWhileConnecting = Duration.milliseconds(100)

    private let loop: EventLoop
    private let handle: UnsafeMutableRawPointer
    private let configuration: TransportConfiguration
    let authorities: CertificateAuthorities
    private let connections: ConnectionTable
    private let clock: any TimeSource
    /// libcurl's own clock, whatever clock the attempts use.
    private let systemClock = SystemClock()
    /// Called when libcurl itself fails, which ends all transfers, and when a peer sends more answers than requests.
    private let report: (Event) -> Void

    private var transfers = SlotMap<Transfer>()
    private var streams: [CurlStream] = []
    /// libcurl counts them among its running transfers.
    private var connectingStreams = 0
    private var idle: [CurlEasy] = []
    /// Transfers that need attention in addition to libcurl's.
    private var watched: [TransferID] = []
    /// When libcurl wants a turn; nil if it does not.
    private var timer: Instant?
    /// When what connects gets a turn; nil if nothing does.
    private var nextNudge: Instant?
    /// Services to which no connection could be opened since the last success: their addresses may have changed.
    private var unreachedServices: Set<String> = []

    enum Event {
        case failed(TransportFailure)
        /// A request got more than one answer, so that each request has a connection of its own for a while.
        case distrustBegan
    }

    /// - Parameters:
    ///   - clock: the clock of the attempts.
    ///   - report: called on the loop.
    /// - Throws: a failure of the kind `setup`, if libcurl refuses the configuration, which is tried on one handle.
    init(
        _ configuration: TransportConfiguration, environment: CurlEnvironment, loop: EventLoop,
        clock: any TimeSource = SystemClock(), report: @escaping (Event) -> Void = { _ in }
    ) throws(TransportFailure) {
        guard let handle = curl_multi_init() else {
            throw TransportFailure(.setup, message: "libcurl has no memory for its transfers.")
        }
        self.handle = handle
        self.loop = loop
        self.configuration = configuration
        self.clock = clock
        self.report = report
        connections = ConnectionTable(clock: clock)
        authorities = CertificateAuthorities(file: configuration.caFile, system: environment.systemAuthorities)
        guard configuration.maximumConnections > 0 else {
            throw TransportFailure(.setup, message: "At least one connection must be allowed.")
        }
        let total = configuration.maximumConnections + configuration.maximumStreams
        try set(CURLMOPT_MAX_TOTAL_CONNECTIONS, total)
        try set(CURLMOPT_MAXCONNECTS, total)
        try set(CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maximumConnectionsPerHost)
        try set(CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        try joinLoop()
        idle.append(try makeEasy())
        loop.add(self)
    }

    private func joinLoop() throws(TransportFailure) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        let what = "join the loop"
        try check(clibcurl_multi_set_pointer(handle, CURLMOPT_SOCKETDATA, me), what)
        try check(clibcurl_multi_set_socket_callback(handle, curlWatchesSocket), what)
        try check(clibcurl_multi_set_pointer(handle, CURLMOPT_TIMERDATA, me), what)
        try check(clibcurl_multi_set_timer_callback(handle, curlSetsTimer), what)
    }

    /// Ends all transfers without an outcome, closes all streams, and leaves the loop, which keeps this object alive until then. No
    /// transfer may be started afterwards.
    func close() {
        for id in transfers.ids { cancel(id) }
        for stream in streams { stream.close() }
        loop.remove(self)
    }

    deinit {
        // From here on callbacks have no target.
        _ = clibcurl_multi_set_socket_callback(handle, nil)
        _ = clibcurl_multi_set_timer_callback(handle, nil)
        for id in transfers.ids {
            if let easy = transfers[id]?.easy { _ = curl_multi_remove_handle(handle, easy.handle) }
        }
        // Closes the remaining connections, which are then removed from their table.
        curl_multi_cleanup(handle)
    }

    // MARK: Transfers

    /// How many more transfers can be started now.
    var freeConnections: Int { configuration.maximumConnections - transfers.count }

    /// Starts a transfer.
    ///
    /// - Throws: `noFreeConnection` if the maximum number of transfers is running; `setup` if the request or libcurl is
    ///   at fault. The completion is not called then.
    func start(_ request: HTTPRequest, completion: @escaping Completion) throws(TransportFailure) -> TransferID {
        guard freeConnections > 0 else {
            throw TransportFailure(.noFreeConnection, message: "Every connection is in use.")
        }
        var request = request
        if connections.distrustsKept || connections.doubtsKept { request.needsNewConnection = true }
        let easy = if let ready = idle.popLast() { ready } else { try makeEasy() }
        do {
            try easy.prepare(request, looksNameUpAnew: unreachedServices.contains(request.baseURL))
            try check(curl_multi_add_handle(handle, easy.handle), "begin a transfer")
        } catch {
            easy.wipe()
            idle.append(easy)
            throw error
        }
        let id = transfers.insert(Transfer(easy: easy, completion: completion))
        easy.transfer = id
        watched.append(id)
        return id
    }

    /// What a transfer is doing now; nil if it has ended.
    func phase(of id: TransferID) -> TransportFailure.Phase? { transfers[id]?.easy.phase }

    /// Ends a transfer without an outcome. Its connection is closed, because the answer might still arrive on it.
    ///
    /// Does nothing if the transfer has ended.
    func cancel(_ id: TransferID) {
        guard let easy = transfers.remove(id)?.easy else { return }
        easy.watch.dropped()
        noteReach(of: easy)
        release(easy)
    }

    // MARK: Streams

    /// Begins to connect a stream.
    func add(_ stream: CurlStream) throws(TransportFailure) {
        try check(curl_multi_add_handle(handle, stream.handle), "begin a connection")
        streams.append(stream)
        connectingStreams += 1
    }

    /// Closes a stream's connection. The stream must have stopped watching its socket.
    func remove(_ stream: CurlStream) {
        guard let index = streams.firstIndex(where: { $0 === stream }) else { return }
        streams.remove(at: index)
        if stream.isConnecting { connectingStreams -= 1 }
        _ = curl_multi_remove_handle(handle, stream.handle)
    }

    // MARK: The loop

    func run() -> Duration? {
        guard transfers.count + connectingStreams > 0 || timer != nil else { return nil }
        if let timer, timer <= systemClock.now {
            self.timer = nil
            connections.beginTurn()
            act(CURL_SOCKET_TIMEOUT, 0)
        }
        let look = watched.isEmpty && connectingStreams == 0 ? nil : lookAfterWatched()
        guard let timer else { return look }
        let wait = max(timer - systemClock.now, .zero)
        return look.map { min($0, wait) } ?? wait
    }

    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {
        connections.beginTurn()
        // libcurl must find out itself about a hang-up without anything to read.
        act(
            watch.descriptor,
            (events.contains(.readable) ? CURL_CSELECT_IN : 0) | (events.contains(.writable) ? CURL_CSELECT_OUT : 0))
    }

    /// Lets libcurl handle a socket's events or its timer, and finishes the transfers that have ended.
    private func act(_ socket: curl_socket_t, _ events: CInt) {
        var running: CInt = 0
        do throws(TransportFailure) {
            try check(curl_multi_socket_action(handle, socket, events, &running), "transfer")
        } catch {
            report(.failed(error))
            for id in transfers.ids { end(id) { _ in .failure(error) } }
            for stream in streams { stream.end(error) }
        }
        // Perhaps for a transfer that waited for its answer on a kept connection that was dead.
        if connections.takeOpened() { watched = transfers.ids }
        if Int(running) < transfers.count + connectingStreams { takeEnded() }
        if connections.takeNewDistrust() { report(.distrustBegan) }
    }

    private func takeEnded() {
        var remaining: CInt = 0
        // One at a time: handling one may end another transfer, whose message libcurl then drops.
        while let message = curl_multi_info_read(handle, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let easyHandle = message.pointee.easy_handle else { continue }
            // The message is invalid after the removal, but the information that `finish` reads from the handle is not.
            let code = message.pointee.data.result
            if let stream = streams.first(where: { $0.handle == easyHandle }) {
                connectingStreams -= 1
                stream.connected(code)
                continue
            }
            guard let easy = CurlEasy.owner(of: easyHandle), let id = easy.transfer, !isReplaced(easy, id) else {
                continue
            }
            finish(id, code)
        }
    }

    /// Restarts a transfer whose request has no connection yet.
    private func isReplaced(_ easy: CurlEasy, _ id: TransferID) -> Bool {
        do {
            guard try easy.prepareForAnotherConnection() else { return false }
            try check(curl_multi_remove_handle(handle, easy.handle), "end a transfer")
            try check(curl_multi_add_handle(handle, easy.handle), "begin a transfer")
            if !watched.contains(id) { watched.append(id) }
            return true
        } catch {
            // It ends with libcurl's result.
            return false
        }
    }

    private func finish(_ id: TransferID, _ code: CURLcode) {
        end(id) { $0.finish(code) }
    }

    private func end(_ id: TransferID, _ outcome: (CurlEasy) -> Result<HTTPResponse, TransportFailure>) {
        guard let transfer = transfers.remove(id) else { return }
        release(transfer.easy)
        let outcome = outcome(transfer.easy)
        noteReach(of: transfer.easy)
        transfer.completion(outcome)
    }

    private func noteReach(of easy: CurlEasy) {
        switch easy.watch.hasReachedPeer {
        case true: unreachedServices.remove(easy.service)
        case false: unreachedServices.insert(easy.service)
        case nil: break
        }
    }

    /// Removes a transfer from the multi handle, so that its easy handle is free for another.
    private func release(_ easy: CurlEasy) {
        easy.transfer = nil
        let code = curl_multi_remove_handle(handle, easy.handle)
        easy.wipe()
        // A handle that libcurl does not release is destroyed instead, which removes it by force.
        if code == CURLM_OK { idle.append(easy) }
    }

    // MARK: In addition to libcurl

    /// Ends the transfers that have exceeded a limit that libcurl does not know, and gives a turn to those that
    /// connect, and to streams that do.
    ///
    /// - Returns: how long this can wait now; nil while all transfers wait for answers on sound connections, so that no
    ///   timer wakes an idle process.
    private func lookAfterWatched() -> Duration? {
        let now = clock.now
        for id in watched {
            if let watch = transfers[id]?.easy.watch, watch.isOverdue(now: now) { finish(id, CURLE_OPERATION_TIMEDOUT) }
        }
        var wait: Duration?
        var connecting: [TransferID] = []
        watched.removeAll { id in
            switch transfers[id]?.easy.watch.concern {
            case .connecting:
                connecting.append(id)
            case .firstByte(let deadline):
                let own = max(deadline - now, .zero)
                wait = min(wait ?? own, own)
            case .nothing, nil: return true
            }
            return false
        }
        guard !connecting.isEmpty || connectingStreams > 0 else {
            nextNudge = nil
            return wait
        }
        let pause = nudge(connecting)
        return min(wait ?? pause, pause)
    }

    /// - Returns: how long the next turn of what connects can wait.
    private func nudge(_ connecting: [TransferID]) -> Duration {
        let now = systemClock.now
        let due = nextNudge ?? now + Self.longestPauseWhileConnecting
        nextNudge = due
        guard due <= now else { return due - now }
        nextNudge = now + Self.longestPauseWhileConnecting
        // One turn for all of them; otherwise each could use the time limit of a whole turn.
        connections.beginTurn()
        for id in connecting {
            for socket in transfers[id]?.easy.watch.sockets ?? [] { act(socket, 0) }
        }
        for stream in streams where stream.isConnecting { stream.nudge() }
        return Self.longestPauseWhileConnecting
    }

    // MARK: Requests from libcurl

    /// Changes the events that a socket is watched for; nil stops watching it.
    fileprivate func watch(_ socket: curl_socket_t, for events: EventLoop.Events?, _ known: EventLoop.Watch?) {
        switch (known, events) {
        case (let known?, let events?): loop.change(known, to: events)
        case (let known?, nil): loop.remove(known)
        case (nil, let events?):
            let watch = loop.watch(socket, for: events, by: self)
            // libcurl returns the token with the next call about this socket. This fails for a socket that libcurl does
            // not know.
            _ = curl_multi_assign(handle, socket, UnsafeMutableRawPointer(bitPattern: watch.token))
        case (nil, nil): break
        }
    }

    /// - Parameter wait: nil: libcurl only waits for its sockets.
    fileprivate func setTimer(_ wait: Duration?) {
        timer = wait.map { systemClock.now + $0 }
        if wait == .zero { loop.run(self) }
    }

    private func makeEasy() throws(TransportFailure) -> CurlEasy {
        try CurlEasy(configuration, authorities: authorities, connections: connections, clock: clock)
    }

    private func set(_ option: CURLMoption, _ value: Int) throws(TransportFailure) {
        try check(clibcurl_multi_set_long(handle, option, value), "set its option \(option.rawValue)")
    }

    private func check(_ code: CURLMcode, _ what: String) throws(TransportFailure) {
        guard code != CURLM_OK else { return }
        throw TransportFailure(.setup, message: "libcurl can't \(what): \(String(cString: curl_multi_strerror(code))).")
    }
}

// libcurl's callbacks with the `CurlMulti`, which outlives its handle's callbacks: `deinit` removes them.

/// - Parameters:
///   - what: `CURL_POLL_IN`, `…OUT`, `…INOUT` or `…REMOVE`.
///   - token: the watch's token, if the socket has a watch.
private nonisolated func curlWatchesSocket(
    _ easy: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ what: CInt, _ multi: UnsafeMutableRawPointer?,
    _ token: UnsafeMutableRawPointer?
) -> CInt {
    guard let multi else { return 0 }
    let events: EventLoop.Events? =
        switch what {
        case CURL_POLL_IN: .readable
        case CURL_POLL_OUT: .writable
        case CURL_POLL_INOUT: [.readable, .writable]
        default: nil
        }
    Unmanaged<CurlMulti>.fromOpaque(multi).takeUnretainedValue().watch(
        socket, for: events, token.map { EventLoop.Watch(descriptor: socket, token: Int(bitPattern: $0)) })
    return 0
}

/// - Parameter milliseconds: negative for no timer.
private nonisolated func curlSetsTimer(
    _ handle: UnsafeMutableRawPointer?, _ milliseconds: Int, _ multi: UnsafeMutableRawPointer?
) -> CInt {
    guard let multi else { return 0 }
    Unmanaged<CurlMulti>.fromOpaque(multi).takeUnretainedValue().setTimer(
        milliseconds < 0 ? nil : .milliseconds(milliseconds))
    return 0
}
