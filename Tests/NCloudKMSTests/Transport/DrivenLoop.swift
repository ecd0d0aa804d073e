import KMSPlatform

/// An event loop that a test runs on its own thread.
final class DrivenLoop {
    let loop: EventLoop

    init() throws {
        // As the program does: OpenSSL writes to connections that are closed.
        signal(SIGPIPE, SIG_IGN)
        loop = try EventLoop()
    }

    /// Runs the loop until the condition holds, for which it looks in every turn.
    func run(until isDone: @escaping () -> Bool) {
        let source = Condition(loop, isDone)
        loop.add(source)
        loop.run()
        loop.remove(source)
    }

    private final class Condition: EventSource {
        private let loop: EventLoop
        private let isDone: () -> Bool

        init(_ loop: EventLoop, _ isDone: @escaping () -> Bool) {
            self.loop = loop
            self.isDone = isDone
        }

        func run() -> Duration? {
            if isDone() { loop.stop() }
            // It may be about another thread, which wakes nobody here.
            return .milliseconds(10)
        }

        func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {}
    }
}
