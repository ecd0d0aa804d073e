import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// More processes than `Fleet` is for, whose output one thread reads.
enum SoakFleet {
    /// Runs processes while `body` talks to them, once all of them have started.
    static func run<Result: Sendable>(
        _ count: Int, _ arguments: [String], environment: [String: String], _ started: [ServiceProcess] = [],
        body: ([ServiceProcess]) async throws -> Result
    ) async throws -> Result {
        if started.count == count {
            try await ready(started)
            return try await body(started)
        }
        return try await ServiceProcess.run(
            Soak.program, arguments: arguments, environment: environment,
            errors: try .file("/dev/null", O_WRONLY), readsLines: false, readsLog: false
        ) { process async throws in
            try await run(count, arguments, environment: environment, started + [process], body: body)
        }.result
    }

    private static func ready(_ processes: [ServiceProcess]) async throws {
        try await onOwnThread {
            for process in processes { try process.send(Lines.probe(1)) }
            for process in processes { _ = try line(of: process) }
        }
    }

    /// The next line of a process, with nothing after it. Blocks.
    static func line(of process: ServiceProcess) throws -> JSONValue {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while line.last != UInt8(ascii: "\n") {
            let count = read(process.output, &buffer, buffer.count)
            guard count > 0 else { throw FleetTraffic.Ended(description: "process \(process.processID) has ended") }
            line += buffer[..<count]
        }
        return try JSONValue(parsing: line.dropLast())
    }

    /// What the status of all of them says of the shared engine, in sum.
    struct Totals: Sendable {
        var commands = 0
        var granted = 0
        var local = 0
        var degraded = 0
    }

    static func totals(_ processes: [ServiceProcess]) async throws -> Totals {
        var totals = Totals()
        for shared in try await statuses(processes) {
            totals.commands += try #require(shared["commands"]?.integer)
            totals.granted += try #require(shared["budget"]?["granted"]?.integer)
            totals.local += try #require(shared["budget"]?["local"]?.integer)
            if shared["state"]?.string == "degraded" { totals.degraded += 1 }
        }
        return totals
    }

    /// The last losses of the shared engine, and how many processes report each. Messages that differ only in a time count
    /// as one.
    static func losses(_ processes: [ServiceProcess]) async throws -> [String: Int] {
        try await statuses(processes).compactMap { $0["lastError"]?.string }
            .reduce(into: [:]) { $0[$1.replacing(/\d+ ms/, with: "N ms"), default: 0] += 1 }
    }

    /// What the status of each says of the shared engine.
    private static func statuses(_ processes: [ServiceProcess]) async throws -> [JSONValue] {
        try await onOwnThread {
            for process in processes { try process.send(Lines.request(1, "getStatus")) }
            return try processes.map { try #require(try line(of: $0)["result"]?["shared"]) }
        }
    }
}
