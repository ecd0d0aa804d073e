import KMSPlatform

/// Puts whole lines on a descriptor and never waits: what a blocked reader does not take is dropped and counted, since
/// a log must not stop the service.
///
/// A line is written with one system call. The kernel takes one of up to 4 KiB (`PIPE_BUF`) as a whole or not at all, so
/// a full pipe does not end in half of a line, nor do the lines of two programs that share a pipe mix.
package final class LogWriter: Sendable {
    /// Lines that wait for a reader that has stalled; more are dropped. A longer line is taken where nothing waits.
    private static let maximumWaitingBytes = 256 << 10

    private struct State: Sendable {
        /// Lines with their ends, oldest first.
        var waiting: [[UInt8]] = []
        /// How many of them at the front are written.
        var writtenLines = 0
        /// How many bytes of the next one are written.
        var writtenBytes = 0
        /// The bytes of those that are not written.
        var waitingBytes = 0
        var dropped = 0
    }

    private let output: OutputDescriptor
    private let state = Lock(State())

    package init(_ descriptor: CInt) {
        output = OutputDescriptor(descriptor)
    }

    /// Whether a person reads along.
    var isTerminal: Bool { isatty(output.descriptor) == 1 }

    /// Writes a line, its LF not included. What a slow reader has not taken goes with the next line.
    ///
    /// - Parameter notice: the line, without its LF, that tells how many lines were dropped before this one.
    package func write(line: some Collection<UInt8>, notice: (_ dropped: Int) -> [UInt8] = LogWriter.plainNotice) {
        state.withLock { state in
            drain(&state)
            guard state.waitingBytes == 0 || state.waitingBytes + line.count < Self.maximumWaitingBytes else {
                state.dropped += 1
                return
            }
            if state.dropped > 0 {
                Self.append(notice(state.dropped), to: &state)
                state.dropped = 0
            }
            Self.append(line, to: &state)
            drain(&state)
        }
    }

    /// Writes what waits, even if nobody reads: the last lines of a process tell why it has ended, and a reader may come
    /// after that. A pipe or socket is made to hold them, as far as the system allows.
    package func finish() {
        state.withLock { state in
            repeat { drain(&state) } while state.waitingBytes > 0 && output.enlarge()
        }
    }

    /// The same, and once more after a last line, which so is there whatever waited before it.
    package func finish(after writeLastLine: () -> Void) {
        finish()
        writeLastLine()
        finish()
    }

    /// The sentence about lines that were dropped, for those that are no log lines themselves.
    package static func plainNotice(_ dropped: Int) -> [UInt8] {
        Array("(\(dropped) log lines were dropped: nobody read them)".utf8)
    }

    private static func append(_ line: some Collection<UInt8>, to state: inout State) {
        state.waiting.append(line + [UInt8(ascii: "\n")])
        state.waitingBytes += line.count + 1
    }

    private func drain(_ state: inout State) {
        while state.waitingBytes > 0 {
            let line = state.waiting[state.writtenLines]
            let result = line.withUnsafeBytes {
                output.write(UnsafeRawBufferPointer(rebasing: $0[state.writtenBytes...]))
            }
            switch result {
            case .wrote(let count):
                state.writtenBytes += count
                state.waitingBytes -= count
                if state.writtenBytes == line.count {
                    state.writtenLines += 1
                    state.writtenBytes = 0
                }
            case .wouldBlock:
                // It must not grow while a slow reader keeps it from ever being empty.
                if state.writtenLines > state.waiting.count / 2 {
                    state.waiting.removeFirst(state.writtenLines)
                    state.writtenLines = 0
                }
                return
            // Nobody will ever read it; the service goes on without.
            case .closed:
                state.waitingBytes = 0
            }
        }
        state.waiting.removeAll(keepingCapacity: true)
        (state.writtenLines, state.writtenBytes) = (0, 0)
    }
}
