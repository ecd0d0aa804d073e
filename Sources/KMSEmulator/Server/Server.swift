import CMicrohttpd
import Platform

/// The HTTP server: libmicrohttpd with one thread. What it answers is decided elsewhere.
final class Server: @unchecked Sendable {
    // Sendable: `dates` and `requestIDs` are reached on libmicrohttpd's thread only, which calls all the functions of
    // `Handlers`; everything else is constant and Sendable itself, but for `daemon`, which has a lock.
    let core: EmulatorCore
    let control: Control
    let suspensions: Suspensions
    let port: UInt16
    var dates = HTTPDateCache()
    var requestIDs: RequestIDs
    private let daemon = Lock<OpaquePointer?>(nil)
    /// Nil for plain HTTP. libmicrohttpd keeps the pointers for as long as its daemon lives.
    private let identity: TLSIdentity?

    /// Open connections at once: more than the tests make, and within the usual limit of descriptors when that is raised.
    private static let maximumConnections = 4_096

    struct Failure: Error, CustomStringConvertible {
        let description = "libmicrohttpd did not start the server"
    }

    /// - Parameter certificate: nil serves plain HTTP.
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
        // Not retained: `stop` ends all calls before the owner lets go of the server.
        let context = Unmanaged.passUnretained(self).toOpaque()
        func option(_ kind: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil) -> MHD_OptionItem {
            MHD_OptionItem(option: kind, value: value, ptr_value: pointer)
        }
        var options = [
            option(.LISTEN_SOCKET, Int(socket)),
            option(.CONNECTION_LIMIT, Self.maximumConnections),
            option(.URI_LOG_CALLBACK, unsafeBitCast(Handlers.requestLine, to: Int.self), context),
            option(.NOTIFY_CONNECTION, unsafeBitCast(Handlers.connection, to: Int.self), context),
            option(.NOTIFY_COMPLETED, unsafeBitCast(Handlers.completed, to: Int.self), context),
        ]
        // `poll` and not epoll: version 0.9.75 watches edges, and never hears of a close that arrives together with the
        // last bytes before it, so that such connections would stay open for ever.
        var flags = MHD_USE_POLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
        if let identity {
            flags |= MHD_USE_TLS.rawValue
            options.append(option(.HTTPS_MEM_KEY, 0, identity.privateKey))
            options.append(option(.HTTPS_MEM_CERT, 0, identity.certificate))
        }
        options.append(option(.END, 0))
        return cmicrohttpd_start(flags, Handlers.request, context, options)
    }

    /// Ends all connections and both threads.
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

/// A certificate and its private key as C strings, which live as long as this object.
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

/// The ids of answers: the same 16 digits for one server, then a number.
struct RequestIDs {
    private let prefix: String
    private var count: UInt64 = 0

    /// - Parameter seed: makes the 16 digits; nil makes others every time.
    init(seed: UInt64?) {
        var generator = seed.map(SplitMix64.init)
        prefix = Self.hexadecimal(generator?.next() ?? .random(in: 0...UInt64.max))
    }

    mutating func next() -> String {
        count += 1
        return prefix + Self.hexadecimal(count)
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * index)) & 15
                buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }
}
