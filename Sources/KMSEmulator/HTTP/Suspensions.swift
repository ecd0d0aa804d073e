import CKMSMicrohttpd
import KMSPlatform

/// Suspends connections for some time, or indefinitely, without blocking the server's thread.
///
/// A thread resumes each connection when its time is up, or when its client disconnects, which libmicrohttpd does not
/// notice while a connection is suspended.
final class Suspensions: Sendable {
    /// Why a connection was resumed.
    enum Outcome: Sendable {
        case elapsed
        case clientWentAway
        case stopped
    }

    /// The thread notices a new suspension after this time at the latest, so that under load it is not woken for each
    /// one. It then also notices a client that disconnected earlier.
    private static let watchDelay: Duration = .milliseconds(2)

    private let state = Lock(State())
    private let clock = SystemClock()
    private let waker: Waker

    private struct State {
        var waiting: [Int: Entry] = [:]
        var outcomes: [Int: Outcome] = [:]
        var sleepsUntil = Instant.distantFuture
        var isStopped = false
    }

    private struct Entry {
        /// Valid while the connection is suspended, that is, while the entry is in `waiting`.
        let connection: OpaquePointer
        let socket: Int32
        let deadline: Instant
    }

    init() throws(PlatformError) {
        waker = try Waker()
        // The thread holds the only strong reference that outlives `stop`; when it ends, the waker's pipe is closed.
        try Thread.start(name: "kms-emu-timer") { [self] in run() }
    }

    /// Suspends a connection. When libmicrohttpd calls again, `outcome(of:)` says why.
    ///
    /// - Parameters:
    ///   - number: the connection's number.
    ///   - duration: nil waits until the client disconnects or the server stops.
    /// - Returns: false, without an effect, if the server is stopping.
    func suspend(_ number: Int, _ connection: OpaquePointer, socket: Int32, for duration: Duration?) -> Bool {
        let now = clock.now
        let deadline = duration.map { now + $0 } ?? .distantFuture
        let wakes: Bool? = state.withLock { state in
            guard !state.isStopped else { return nil }
            // With the lock held, so that it is not resumed before it is suspended. The call takes no lock of ours.
            MHD_suspend_connection(connection)
            state.waiting[number] = Entry(connection: connection, socket: socket, deadline: deadline)
            let wake = min(deadline, now + Self.watchDelay)
            guard wake < state.sleepsUntil else { return false }
            state.sleepsUntil = wake
            return true
        }
        if wakes == true { waker.wake() }
        return wakes != nil
    }

    /// Why a connection was resumed; nil if it was not suspended.
    func outcome(of number: Int) -> Outcome? {
        state.withLock { $0.outcomes.removeValue(forKey: number) }
    }

    /// Resumes all connections and ends the thread. Nothing is suspended afterwards.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            for number in Array(state.waiting.keys) { Self.resume(number, .stopped, in: &state) }
        }
        waker.wake()
    }

    private func run() {
        var descriptors: [pollfd] = []
        var numbers: [Int] = []
        while true {
            let sleepsUntil: Instant? = state.withLock { state in
                for (descriptor, number) in zip(descriptors.dropFirst(), numbers) where descriptor.revents != 0 {
                    Self.resume(number, .clientWentAway, in: &state)
                }
                let now = clock.now
                for (number, entry) in state.waiting where entry.deadline <= now {
                    Self.resume(number, .elapsed, in: &state)
                }
                descriptors = [pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)]
                numbers = Array(state.waiting.keys)
                for entry in state.waiting.values {
                    descriptors.append(pollfd(fd: entry.socket, events: Self.hangUpEvents, revents: 0))
                }
                state.sleepsUntil = state.waiting.values.map(\.deadline).min() ?? .distantFuture
                return state.isStopped ? nil : state.sleepsUntil
            }
            guard let sleepsUntil else { return }
            poll(&descriptors, nfds_t(descriptors.count), pollTimeout(until: sleepsUntil))
            if descriptors[0].revents != 0 { waker.reset() }
        }
    }

    #if os(Linux)
    /// `POLLRDHUP` of <poll.h>, which glibc's module does not export: the peer closed its end.
    private static let hangUpEvents: Int16 = 0x2000
    #else
    /// `POLLHUP` is reported without being requested.
    private static let hangUpEvents: Int16 = 0
    #endif

    private static func resume(_ number: Int, _ outcome: Outcome, in state: inout State) {
        guard let entry = state.waiting.removeValue(forKey: number) else { return }
        state.outcomes[number] = outcome
        MHD_resume_connection(entry.connection)
    }

    /// Milliseconds for `poll`; -1 for no limit.
    private func pollTimeout(until instant: Instant) -> Int32 {
        instant == .distantFuture ? -1 : Int32(clamping: max(0, (instant - clock.now).millisecondsRoundedUp))
    }
}
