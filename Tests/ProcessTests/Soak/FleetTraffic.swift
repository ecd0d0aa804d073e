import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport

/// One thread that has many processes ask for keys, each again as soon as it has its answer.
struct FleetTraffic {
    /// What a process is to do.
    struct Member: Sendable {
        let process: ServiceProcess
        let keyTag: String
        /// Calls under way at once, each for another version, so that none joins another.
        var inFlight = 1
        /// Between an answer and the next call, in milliseconds.
        var pause: Int64 = 0
    }

    /// Times are in milliseconds since 1970, as the emulator's are.
    struct Answer: Sendable {
        let member: Int
        let began: Int64
        let ended: Int64
        /// Nil for a key.
        let code: Int?
    }

    struct Ended: Error, CustomStringConvertible {
        let description: String
    }

    private let members: [Member]
    private let collect: () throws -> Void
    private var polled: [pollfd]
    private var pending: [[UInt8]]
    /// When the call of each member and version began; nil: none is under way.
    private var began: [[Int64?]]
    /// When each may begin.
    private var due: [[Int64]]
    private(set) var answers: [Answer] = []

    /// - Parameter collect: called every 50 ms or more often.
    init(_ members: [Member], collect: @escaping () throws -> Void = {}) {
        self.members = members
        self.collect = collect
        polled = members.map { pollfd(fd: $0.process.output, events: Int16(POLLIN), revents: 0) }
        pending = members.map { _ in [] }
        began = members.map { [Int64?](repeating: nil, count: $0.inFlight) }
        let now = Self.now
        due = members.map { [Int64](repeating: now, count: $0.inFlight) }
    }

    static var now: Int64 { SystemClock().wallClockMilliseconds }

    /// Asks until `isOn` says no, and then waits for the answers under way. Every call has its deadline, so this ends.
    mutating func run(while isOn: () -> Bool) throws {
        while true {
            let goesOn = isOn()
            if goesOn { try sendWhatIsDue() }
            if !goesOn, began.allSatisfy({ $0.allSatisfy { $0 == nil } }) { return }
            guard poll(&polled, nfds_t(polled.count), 10) >= 0 || errno == EINTR else { throw PlatformError("poll") }
            for index in polled.indices where polled[index].revents != 0 { try read(index) }
            try collect()
        }
    }

    private mutating func sendWhatIsDue() throws {
        let now = Self.now
        for (index, member) in members.enumerated() {
            for slot in 0..<member.inFlight where began[index][slot] == nil && due[index][slot] <= now {
                began[index][slot] = now
                try member.process.send(
                    Lines.request(
                        slot, "getPublicKey",
                        #"{"keyTag":"\#(member.keyTag)","keyVersion":\#(slot + 1),"maxAgeMs":0}"#))
            }
        }
    }

    private mutating func read(_ index: Int) throws {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = KMSPlatform.read(polled[index].fd, &buffer, buffer.count)
        guard count > 0 else { throw Ended(description: "process \(index) has ended") }
        let now = Self.now
        pending[index] += buffer[..<count]
        while let end = pending[index].firstIndex(of: UInt8(ascii: "\n")) {
            let value = try JSONValue(parsing: Array(pending[index][..<end]))
            pending[index].removeFirst(end + 1)
            guard let slot = value["id"]?.integer, began[index].indices.contains(slot), let start = began[index][slot]
            else { throw WireAnswer.Malformed(text: String(decoding: value.bytes, as: UTF8.self)) }
            answers.append(
                Answer(member: index, began: start, ended: now, code: value["error"]?["code"]?.integer))
            began[index][slot] = nil
            due[index][slot] = now + members[index].pause
        }
    }
}

extension [FleetTraffic.Answer] {
    /// Jain's index of fairness of the answers of these members: 1 if all have as many, 1/n if one has all.
    func fairness(of members: Range<Int>) -> Double {
        var counts = [Double](repeating: 0, count: members.count)
        for answer in self where members.contains(answer.member) { counts[answer.member - members.lowerBound] += 1 }
        let sum = counts.reduce(0, +)
        return sum * sum / (Double(counts.count) * counts.reduce(0) { $0 + $1 * $1 })
    }

    /// Failed calls by their codes.
    var failures: [Int: Int] {
        reduce(into: [:]) { codes, answer in
            if let code = answer.code { codes[code, default: 0] += 1 }
        }
    }

    /// The longest of the calls of some members that overlap an interval, in milliseconds.
    func slowest(of members: Range<Int>, from start: Int64, to end: Int64) -> Int64 {
        lazy.filter { members.contains($0.member) && $0.ended >= start && $0.began < end }
            .map { $0.ended - $0.began }.max() ?? 0
    }
}
