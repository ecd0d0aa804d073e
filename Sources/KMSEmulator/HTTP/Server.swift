import CKMSMicrohttpd
import KMSPlatform

/// The HTTP server: libmicrohttpd with one thread; each connection's `Exchange` answers its requests.
final class Server: @unchecked Sendable {
    // Sendable: `dates` and `requestIDs` are used on libmicrohttpd's thread only; `daemon` has a lock; everything else
    // is constant and itself Sendable.
    let core: EmulatorCore
    let control: Control
    let suspensions: Suspensions
    let port: UInt16
    var dates = HTTPDateCache()
    var requestIDs: RequestIDs
    private let daemon = Lock<OpaquePointer?>(nil)
    /// Nil for plain HTTP. libmicrohttpd uses these pointers as long as its daemon lives.
    private let identity: TLSIdentity?

    /// The maximum number of open connections: more than tests open, and within the usual descriptor limit.
    private static let maximumConnections = 4_096

    struct Failure: Error, CustomStringConvertible {
        let description = "libmicrohttpd did not start the server"
    }

    /// - Parameter certificate: nil for plain HTTP.
    init(
        core: EmulatorCore, certificate: ServerCertificate?, address: IPAddress, port: UInt16, requestIDs: RequestIDs
    ) throws {
        self.core = core
        self.requestIDs = requestIDs
        control = Control(core: core)
        identity = certificate.map(TLSIdentity.init)
        let socket = try ListeningSocket(address: address, port: port)
        self.port = socket.port
        do {
            suspensions = try Suspensions()
        } catch {
            close(socket.descriptor)
            throw error
        }
        guard let started = start(socket.descriptor) else {
            suspensions.stop()
            close(socket.descriptor)
            throw Failure()
        }
        daemon.withLock { $0 = started }
    }

    private func start(_ socket: Int32) -> OpaquePointer? {
        // Not retained: `stop` ends all callbacks before the owner releases the server.
        let context = Unmanaged.passUnretained(self).toOpaque()
        func option(_ kind: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil) -> MHD_OptionItem {
            MHD_OptionItem(option: kind, value: value, ptr_value: pointer)
        }
        var options = [
            option(.LISTEN_SOCKET, Int(socket)),
            option(.CONNECTION_LIMIT, Self.maximumConnections),
            option(.URI_LOG_CALLBACK, unsafeBitCast(Callbacks.requestLine, to: Int.self), context),
            option(.NOTIFY_CONNECTION, unsafeBitCast(Callbacks.connection, to: Int.self), context),
            option(.NOTIFY_COMPLETED, unsafeBitCast(Callbacks.completed, to: Int.self), context),
        ]
        // `poll` instead of epoll: version 0.9.75 uses edge triggering, and misses a close that arrives together with
        // the last bytes before it, so that such a connection would stay open.
        var flags = MHD_USE_POLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
        if let identity {
            flags |= MHD_USE_TLS.rawValue
            options.append(option(.HTTPS_MEM_KEY, 0, identity.privateKey))
            options.append(option(.HTTPS_MEM_CERT, 0, identity.certificate))
        }
        options.append(option(.END, 0))
        return cmicrohttpd_start(flags, Callbacks.request, context, options)
    }

    /// Closes all connections and ends both threads. Calling it again has no effect.
    func stop() {
        // Suspended connections must be resumed first, or libmicrohttpd aborts the process.
        suspensions.stop()
        let started = daemon.withLock { daemon in
            defer { daemon = nil }
            return daemon
        }
        if let started { MHD_stop_daemon(started) }
    }
}

/// The callbacks of libmicrohttpd, all on its one thread. The context of each connection is its `Exchange`.
private enum Callbacks {
    /// A connection has been opened, or is about to be closed. Here `context` is the `Server`.
    static let connection: MHD_NotifyConnectionCallback = { context, connection, socketContext, event in
        guard let context, let connection, let socketContext else { return }
        if event == .CONNECTION_NOTIFY_STARTED {
            let server = Unmanaged<Server>.fromOpaque(context).takeUnretainedValue()
            socketContext.pointee = Unmanaged.passRetained(Exchange(connection, of: server)).toOpaque()
        } else if let pointer = socketContext.pointee {
            Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue().connectionClosed()
            socketContext.pointee = nil
        }
    }

    /// The request line has been read. The result is the request's context for `request` and `completed`.
    static let requestLine:
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
        ) -> UnsafeMutableRawPointer? = { _, target, connection in
            guard let target, let connection, let pointer = cmicrohttpd_socket_context(connection) else { return nil }
            Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue().begin(target: String(cString: target))
            return pointer
        }

    /// Called when the headers have been read, for each part of the body, at its end, and after each suspension.
    static let request: MHD_AccessHandlerCallback = { _, _, _, method, _, upload, uploadCount, requestContext in
        guard let method, let uploadCount, let exchange = exchange(requestContext?.pointee) else { return .NO }
        switch exchange.phase {
        case .started:
            return exchange.headersArrived(method: String(cString: method))
        case .receiving where uploadCount.pointee > 0:
            upload?.withMemoryRebound(to: UInt8.self, capacity: uploadCount.pointee) { bytes in
                exchange.receive(UnsafeBufferPointer(start: bytes, count: uploadCount.pointee))
            }
            uploadCount.pointee = 0
            return .YES
        case .receiving, .waiting:
            return exchange.requestArrived()
        case .answering:
            return .YES
        }
    }

    /// The request has ended, for whatever reason.
    static let completed: MHD_RequestCompletedCallback = { _, _, requestContext, reason in
        exchange(requestContext?.pointee)?.requestEnded(
            isComplete: reason == .REQUEST_TERMINATED_COMPLETED_OK || reason == .REQUEST_TERMINATED_DAEMON_SHUTDOWN)
    }

    private static func exchange(_ context: UnsafeMutableRawPointer?) -> Exchange? {
        context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// Caches the values of `Date` for the current second and for a few others that a skewed clock gave.
struct HTTPDateCache: Sendable {
    private var texts: [Int64: String] = [:]

    mutating func text(wallClockMilliseconds: Int64) -> String {
        // Rounded down, also before 1970.
        let seconds =
            wallClockMilliseconds >= 0 ? wallClockMilliseconds / 1_000 : (wallClockMilliseconds - 999) / 1_000
        if let text = texts[seconds] { return text }
        if texts.count >= 8 { texts = [:] }
        let text = CivilTime(seconds: seconds).httpDate
        texts[seconds] = text
        return text
    }
}

/// A certificate and its private key as C strings that live as long as this object.
private final class TLSIdentity: Sendable {
    // Sendable: written in `init` and freed in `deinit` only.
    nonisolated(unsafe) let privateKey: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) let certificate: UnsafeMutablePointer<CChar>?

    init(_ certificate: ServerCertificate) {
        privateKey = strdup(certificate.privateKeyPEM)
        self.certificate = strdup(certificate.certificatePEM)
    }

    deinit {
        free(privateKey)
        free(certificate)
    }
}
