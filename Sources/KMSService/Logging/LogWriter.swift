import Platform

/// Puts whole lines on a descriptor and never waits: what a blocked reader does not take is dropped and counted, since
/// a log must not stop the service.
public final class LogWriter: Sendable {
    /// Lines that wait for a reader that has stalled; more are dropped.
    private static let maximumWaitingBytes = 256 << 10

    private struct State: Sendable {
        var waiting: [UInt8] = []
        var dropped = 0
    }

    private let output: OutputDescriptor
    private let state = Lock(State())

    public init(_ descriptor: CInt) {
        output = OutputDescriptor(descriptor)
    }

    /// Whether a person reads along.
    public var isTerminal: Bool { isatty(output.descriptor) == 1 }

    /// Writes a line, its LF not included. What a slow reader has not taken goes with the next line.
    public func write(line: some Collection<UInt8>) {
        state.withLock { state in
            drain(&state)
            guard state.waiting.count + line.count < Self.maximumWaitingBytes else {
                state.dropped += 1
                return
            }
            if state.dropped > 0 {
                state.waiting.append(contentsOf: "(\(state.dropped) log lines were dropped: nobody read them)\n".utf8)
                state.dropped = 0
            }
            state.waiting.append(contentsOf: line)
            state.waiting.append(UInt8(ascii: "\n"))
            drain(&state)
        }
    }

    private func drain(_ state: inout State) {
        while !state.waiting.isEmpty {
            switch state.waiting.withUnsafeBytes(output.write) {
            case .wrote(let count): state.waiting.removeFirst(count)
            case .wouldBlock: return
            // Nobody will ever read it; the service goes on without.
            case .closed: state.waiting.removeAll()
            }
        }
    }
}
