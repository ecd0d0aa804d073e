import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// What `make soak` sets, and where the figures go.
enum Soak {
    /// The file of the figures; nil where nobody asked for a soak.
    static let figures = variable("NCLOUD_KMS_SOAK")

    static var isOn: Bool { figures != nil }

    /// How long the mixed traffic runs.
    static let minutes = variable("NCLOUD_KMS_SOAK_MINUTES").flatMap { Int($0) } ?? 10

    /// How many processes share an engine; nil: as many as a test's goal names.
    static let processes = variable("NCLOUD_KMS_SOAK_PROCESSES").flatMap { Int($0) }

    /// The program that the fleets run: that of the tests' build, or the path of another build.
    static let program = variable("NCLOUD_KMS_SOAK_PROGRAM") ?? "ncloud-kms-rpc"

    /// What else the machine does, on which many figures depend: processes that wanted to run in the last minute.
    static func load() throws -> String { String(try contents(of: "/proc/loadavg").prefix { $0 != " " }) }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Adds a row to the table of figures.
    static func report(_ figure: String, _ value: some CustomStringConvertible, limit: String = "") throws {
        guard let figures else { return }
        let file = open(figures, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw PlatformError("open \(figures)") }
        defer { close(file) }
        let columns = [figure.padded(to: 52), "\(value)".padded(to: 24), limit]
        let line = Array((columns.joined(separator: " ") + "\n").utf8)
        guard write(file, line, line.count) == line.count else { throw PlatformError("write \(figures)") }
    }

    /// Lets time pass, which is what a soak is about.
    static func sleep(_ duration: Duration) async throws {
        try await onOwnThread { _ = poll(nil, 0, CInt(clamping: duration.milliseconds)) }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}

/// An emulator over plain HTTP that goes away and comes back at the same address.
final class RestartingKMS: Sendable {
    private let state: Lock<(emulator: Emulator, configuration: Emulator.Configuration)>

    init(_ configuration: Emulator.Configuration) throws {
        var configuration = configuration
        configuration.usesTLS = false
        let emulator = try Emulator(configuration)
        configuration.port = emulator.port
        state = Lock((emulator, configuration))
    }

    deinit { stop() }

    var emulator: Emulator { state.withLock { $0.emulator } }
    var endpoint: String { emulator.endpoint }

    func stop() { emulator.stop() }

    /// Serves again, from zero; the keys are those of last time.
    func start() throws {
        try state.withLock { $0.emulator = try Emulator($0.configuration) }
    }

    func setSeed(_ seed: Seed) {
        state.withLock {
            $0.configuration.seed = seed
            $0.emulator.setSeed(seed)
        }
    }
}
