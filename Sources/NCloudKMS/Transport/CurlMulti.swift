import CLibcurl
import Platform

/// Names one transfer of a `CurlMulti`; never used twice.
struct TransferID: Hashable, Sendable {
    fileprivate let number: UInt64
}

/// Owner of one `CURLM *` and of its easy handles: many transfers at once on a single thread.
///
/// Not `Sendable`: it belongs to one isolation, in the program to the actor on `CurlThread`. It has no timers and no
/// queue. Whoever owns it calls `perform` after every wake-up and by `nextLook` at the latest, cancels what passes its
/// deadline, and keeps what has no connection yet, so that a request is signed, and its attempt's time begins, when a
/// connection is free.
final class CurlMulti {
    struct Completion {
        let id: TransferID
        let outcome: Result<HTTPResponse, TransportFailure>
    }

    let waker: MultiWaker
    private let configuration: TransportConfiguration
    let authorities: CertificateAuthorities
    private let connections: ConnectionTable
    private let clock: any TimeSource
    private var transfers: [TransferID: CurlEasy] = [:]
    private var identities: [UnsafeMutableRawPointer: TransferID] = [:]
    private var idle: [CurlEasy] = []
    /// Transfers that somebody must look after, beside libcurl: see `nextLook`.
    private var watched: [TransferID] = []
    /// Services to which connecting has failed, and has not succeeded since: their addresses may have changed.
    private var unreachedServices: Set<String> = []
    private var lastNumber: UInt64 = 0

    private var handle: UnsafeMutableRawPointer { waker.handle }

    /// - Throws: a failure of the kind `setup`, if the configuration is no good: one handle is made to try it.
    init(
        _ configuration: TransportConfiguration, environment: CurlEnvironment, clock: any TimeSource = SystemClock()
    ) throws(TransportFailure) {
        guard let handle = curl_multi_init() else {
            throw TransportFailure(.setup, message: "libcurl has no memory for its transfers.")
        }
        connections = ConnectionTable(clock: clock)
        waker = MultiWaker(owning: handle, connections: connections)
        self.configuration = configuration
        authorities = CertificateAuthorities(file: configuration.caFile, system: environment.systemAuthorities)
        self.clock = clock
        guard configuration.maximumConnections > 0 else {
            throw TransportFailure(.setup, message: "At least one connection must be allowed.")
        }
        try set(CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.maximumConnections)
        try set(CURLMOPT_MAXCONNECTS, configuration.maximumConnections)
        try set(CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        idle.append(try makeEasy())
    }

    deinit {
        for easy in transfers.values { _ = curl_multi_remove_handle(handle, easy.handle) }
    }

    /// Transfers under way.
    var running: Int { transfers.count }

    /// How many more transfers may be started now.
    var freeConnections: Int { configuration.maximumConnections - transfers.count }

    /// Begins a transfer. Its outcome comes out of a later `perform`, unless it is cancelled before.
    ///
    /// - Throws: `noFreeConnection`, if as many run as are allowed; `setup`, if the request or libcurl is at fault.
    func start(_ request: HTTPRequest) throws(TransportFailure) -> TransferID {
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
        lastNumber += 1
        let id = TransferID(number: lastNumber)
        transfers[id] = easy
        identities[easy.handle] = id
        watched.append(id)
        return id
    }

    /// What a transfer is doing now; nil if it has ended.
    func phase(of id: TransferID) -> TransportFailure.Phase? { transfers[id]?.phase }

    /// Ends a transfer without an outcome. Its connection is closed, as the answer might still come on it.
    ///
    /// Does nothing if it has ended.
    func cancel(_ id: TransferID) {
        guard let easy = transfers[id] else { return }
        easy.watch.dropped()
        noteReach(of: easy)
        release(easy, id)
    }

    /// Whether, since this was last asked, a peer was seen to give more than one answer to a request, so that each request has
    /// a connection of its own for a while.
    func takeNewDistrust() -> Bool { connections.takeNewDistrust() }

    /// When `perform` must be called, whatever `poll` says; nil: no sooner than `poll` says.
    ///
    /// Also nil while all transfers wait for answers on sound connections, so that no timer wakes an idle process.
    func nextLook(now: Instant) -> Instant? {
        var next: Instant?
        watched.removeAll { id in
            guard let look = transfers[id]?.watch.nextLook(now: now) else { return true }
            next = min(next ?? look, look)
            return false
        }
        return next
    }

    /// Reads and writes whatever can be without waiting.
    ///
    /// - Returns: the transfers that ended since the last call.
    /// - Throws: `setup`, if libcurl itself fails. Transfers that ended before are returned by the next call.
    func perform() throws(TransportFailure) -> [Completion] {
        guard !transfers.isEmpty else { return [] }
        connections.beginTurn()
        var stillRunning: CInt = 0
        try check(curl_multi_perform(handle, &stillRunning), "transfer")
        // Perhaps for a transfer that waited for its answer on a kept connection, which turned out to be dead.
        if connections.takeOpened() { watched = Array(transfers.keys) }
        var completions: [Completion] = []
        if Int(stillRunning) < transfers.count { takeEnded(&completions) }
        if !watched.isEmpty { endOverdue(&completions) }
        return completions
    }

    private func takeEnded(_ completions: inout [Completion]) {
        var remaining: CInt = 0
        while let message = curl_multi_info_read(handle, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let easyHandle = message.pointee.easy_handle,
                let id = identities[easyHandle], let easy = transfers[id]
            else { continue }
            // The message dies with the removal, and what `finish` asks the handle for does not.
            let code = message.pointee.data.result
            guard !isReplaced(easy, id) else { continue }
            completions.append(finish(easy, id, code))
        }
    }

    /// Begins a transfer again whose request has no connection yet; `poll` will not wait before its next turn.
    private func isReplaced(_ easy: CurlEasy, _ id: TransferID) -> Bool {
        do {
            guard try easy.prepareForAnotherConnection() else { return false }
            try check(curl_multi_remove_handle(handle, easy.handle), "end a transfer")
            try check(curl_multi_add_handle(handle, easy.handle), "begin a transfer")
            if !watched.contains(id) { watched.append(id) }
            return true
        } catch {
            // It ends as what libcurl made of it.
            return false
        }
    }

    /// Ends what has used up a time that libcurl does not know of.
    private func endOverdue(_ completions: inout [Completion]) {
        let now = clock.now
        for id in watched {
            guard let easy = transfers[id], easy.watch.isOverdue(now: now) else { continue }
            completions.append(finish(easy, id, CURLE_OPERATION_TIMEDOUT))
        }
    }

    private func finish(_ easy: CurlEasy, _ id: TransferID, _ code: CURLcode) -> Completion {
        release(easy, id)
        let outcome = easy.finish(code)
        noteReach(of: easy)
        return Completion(id: id, outcome: outcome)
    }

    private func noteReach(of easy: CurlEasy) {
        switch easy.watch.hasReachedPeer {
        case true: unreachedServices.remove(easy.service)
        case false: unreachedServices.insert(easy.service)
        case nil: break
        }
    }

    /// Waits until a connection can be read or written, libcurl has something to do, somebody calls the waker, or the
    /// time is up.
    ///
    /// - Parameter timeoutMilliseconds: nil: there is no time-out, so no timer of the system's is set.
    func poll(timeoutMilliseconds: Int32?) throws(TransportFailure) {
        try waker.poll(timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Takes a transfer off the multi handle, so that its easy handle is free for another.
    private func release(_ easy: CurlEasy, _ id: TransferID) {
        transfers[id] = nil
        identities[easy.handle] = nil
        let code = curl_multi_remove_handle(handle, easy.handle)
        easy.wipe()
        // A handle that libcurl does not let go of is destroyed instead, which removes it by force.
        if code == CURLM_OK { idle.append(easy) }
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
