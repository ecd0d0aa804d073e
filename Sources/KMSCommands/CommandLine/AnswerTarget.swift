import NCloudKMS
import KMSPlatform

/// Where a command's answer goes: stdout, or the file of `-o`.
package enum AnswerTarget: Equatable, Sendable {
    case stdout
    case file(OutputFile)

    /// - Parameter path: the value of `-o`; nil and `-` mean stdout.
    /// - Throws: `CommandFailure` for an empty path.
    init(path: String?) throws(CommandFailure) {
        guard let path, path != "-" else {
            self = .stdout
            return
        }
        guard !path.isEmpty else { throw .usage("-o needs a file name") }
        self = .file(OutputFile(EnvironmentVariables.process.expandingHome(path)))
    }

    /// Whether the answer goes to a terminal.
    var isTerminal: Bool {
        switch self {
        case .stdout: isatty(STDOUT_FILENO) == 1
        case .file(let file): file.isTerminal
        }
    }

    /// Writes the whole answer: afterwards a file has all of it, or its old contents.
    package func write(_ bytes: [UInt8]) throws(CommandFailure) {
        do throws(PlatformError) {
            switch self {
            case .stdout: try FileContents.append(bytes, to: STDOUT_FILENO)
            case .file(let file): try file.write(bytes)
            }
        } catch {
            switch self {
            case .stdout: throw .output("stdout", error)
            case .file(let file): throw .output("-o \(file.path.excerpt)", error)
            }
        }
    }
}
