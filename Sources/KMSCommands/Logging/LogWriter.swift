import KMSPlatform

/// Writes whole lines to a descriptor and never waits: if the reader is stalled, lines are dropped and counted, because
/// a log must not stop the service.
///
/// Each line is written with one system call. The kernel takes a line of up to 4 KiB (`PIPE_BUF`) as a whole or not at
/// all, so a full pipe does not end with half a line, and the lines of two programs that share a pipe do not mix.
package final class LogWriter: Sendable {
    /// The maximum size of the lines that wait for a stalled reader; further lines are dropped. A longer line is
    /// accepted if nothing waits.
    private static let maximumWaitingBytes = 256 << 10

    private struct State: Sendable {
        /// Complete lines, oldest first.
        var waiting: [[UInt8]] = []
        /// How many lines at the front have been written.
        var writtenLines = 0
        /// How many bytes of the next line have been written.
        var writtenBytes = 0
        /// The total size of the lines that have not been written.
        var waitingBytes = 0
        var dropped = 0
    }

    private let output: OutputDescriptor
    private let state = Lock(State())

    package init(_ descriptor: CInt) {
        output = OutputDescriptor(descriptor)
    }

    /// Whether the log goes to a terminal.
    var isTerminal: Bool { isatty(output.descriptor) == 1 }

    /// Writes a line. Lines that are still waiting for a slow reader are written first.
    ///
    /// - Parameters:
    ///   - line: the line without its LF.
    ///   - notice: the line, without its LF, that reports how many lines were dropped before this one.
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

    /// Writes the waiting lines even if nobody reads them: the last lines of a process say why it ended, and a reader
    /// may come later. Enlarges a pipe or socket to hold them, as far as the system allows.
    package func finish() {
        state.withLock { state in
            repeat { drain(&state) } while state.waitingBytes > 0 && output.enlarge()
        }
    }

    /// Like `finish`, and once more after a last line, so that this line is written even if many lines were waiting.
    package func finish(after writeLastLine: () -> Void) {
        finish()
        writeLastLine()
        finish()
    }

    /// The text about dropped lines, for lines that are not log entries.
    package static func plainNotice(_ dropped: Int) -> [UInt8] {
        Array("(\(dropped) log lines were dropped because nobody read them)".utf8)
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
                // The array must not grow if a slow reader never lets it become empty.
                if state.writtenLines > state.waiting.count / 2 {
                    state.waiting.removeFirst(state.writtenLines)
                    state.writtenLines = 0
                }
                return
            // There is no reader any more; the service continues without a log.
            case .closed:
                state.waitingBytes = 0
            }
        }
        state.waiting.removeAll(keepingCapacity: true)
        (state.writtenLines, state.writtenBytes) = (0, 0)
    }
}
