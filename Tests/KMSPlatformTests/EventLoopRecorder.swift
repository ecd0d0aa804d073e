import KMSPlatform

/// A source of an event loop, whose behaviour a test sets.
final class Recorder: EventSource {
    var onRun: () -> Duration? = { nil }
    var onReady: (EventLoop.Watch, EventLoop.Events) -> Void = { _, _ in }

    func run() -> Duration? { onRun() }

    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) { onReady(watch, events) }
}

/// The recorders of a test. Their closures hold the loop, which holds the recorders, so the end of the test removes the
/// closures.
final class Recorders: Sendable {
    private let all = Lock<[Recorder]>([])

    func make() -> Recorder {
        let recorder = Recorder()
        all.withLock { $0.append(recorder) }
        return recorder
    }

    deinit {
        for recorder in all.withLock({ $0 }) {
            recorder.onRun = { nil }
            recorder.onReady = { _, _ in }
        }
    }
}

/// A non-blocking pipe.
struct TestPipe {
    let read: CInt
    let write: CInt

    /// - Parameter isFilled: whether there is a byte to read.
    init(isFilled: Bool = false) throws {
        (read, write) = try Descriptors.pipe(isNonBlocking: true)
        if isFilled { KMSPlatform.write(write, "x", 1) }
    }

    func close() {
        KMSPlatform.close(read)
        KMSPlatform.close(write)
    }
}
