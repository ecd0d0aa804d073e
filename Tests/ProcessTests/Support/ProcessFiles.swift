import KMSPlatform
import KMSTestSupport

/// What the kernel says about a process, in /proc.
struct ProcessFiles {
    let processID: CInt

    /// Memory counts as it is for users only where no sanitizer takes most of it.
    static let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// The lines of `status`.
    func status() throws -> [String: String] { try Self.fields(of: "/proc/\(processID)/status") }

    /// The most memory that was resident at once, in KiB.
    func peakMemoryKiB() throws -> Int {
        let text = try status()["VmHWM"] ?? ""
        guard let number = Int(text.prefix { $0.isNumber }) else { throw Unreadable(text: text) }
        return number
    }

    /// The processor time that its threads have used, in user mode and in the kernel; that of a zombie, too.
    func processorTime() throws -> Duration {
        let text = try contents(of: "/proc/\(processID)/stat")
        // The name in parentheses may hold anything; `utime` and `stime` are the 14th and 15th field (proc_pid_stat(5)).
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ").dropFirst(12)
        let ticks = fields.prefix(2).compactMap { Int($0) }
        guard ticks.count == 2 else { throw Unreadable(text: text) }
        return .seconds(Double(ticks[0] + ticks[1]) / Double(sysconf(CInt(_SC_CLK_TCK))))
    }

    struct ThreadActivity: Equatable {
        var isAsleep: Bool
        var switches: [String]
    }

    /// What each thread has done, by its id.
    func threads() throws -> [String: ThreadActivity] {
        var threads: [String: ThreadActivity] = [:]
        for thread in try names(in: "task") {
            let fields = try Self.fields(of: "/proc/\(processID)/task/\(thread)/status")
            threads[thread] = ThreadActivity(
                isAsleep: fields["State"]?.hasPrefix("S") ?? false,
                switches: [fields["voluntary_ctxt_switches"] ?? "", fields["nonvoluntary_ctxt_switches"] ?? ""])
        }
        return threads
    }

    /// Looks until all threads sleep and did nothing between two looks, and gives what they have done by then.
    func settled() async throws -> [String: ThreadActivity] {
        try await onOwnThreadPolling {
            let first = try threads()
            sched_yield()
            let second = try threads()
            return first == second && second.values.allSatisfy(\.isAsleep) ? second : nil
        }
    }

    /// The names of its open descriptors, and what they are.
    func descriptors() throws -> [Int: String] {
        var links: [Int: String] = [:]
        for name in try names(in: "fd") {
            guard let number = Int(name) else { continue }
            // It may have been closed since.
            links[number] = linkTarget("/proc/\(processID)/fd/\(name)")
        }
        return links
    }

    /// The flags of `open(2)` of a descriptor, `O_CLOEXEC` included.
    func flags(of descriptor: Int) throws -> CInt {
        let fields = try Self.fields(of: "/proc/\(processID)/fdinfo/\(descriptor)")
        guard let flags = CInt(fields["flags"] ?? "", radix: 8) else { throw Unreadable(text: "\(fields)") }
        return flags
    }

    private func names(in folder: String) throws -> [String] { try entries(ofFolder: "/proc/\(processID)/\(folder)") }

    private static func fields(of path: String) throws -> [String: String] {
        var fields: [String: String] = [:]
        for line in try contents(of: path).split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields[String(line[..<colon])] = String(value)
        }
        return fields
    }

    struct Unreadable: Error {
        let text: String
    }
}

/// Looks again and again, for what the kernel tells only to those who ask, until `look` has something.
///
/// - Throws: `NeverHappened` after a minute.
func onOwnThreadPolling<Result: Sendable>(_ look: @escaping @Sendable () throws -> Result?) async throws -> Result {
    try await onOwnThread {
        let deadline = SystemClock().now + .seconds(60)
        while SystemClock().now < deadline {
            if let result = try look() { return result }
            // A moment for the process that is looked at: there may be no processor to spare.
            poll(nil, 0, 1)
        }
        throw NeverHappened()
    }
}

struct NeverHappened: Error {
    /// What was seen last, where that is known.
    var last: String?
}
