import KMSEmulator
import KMSPlatform

/// When the requests for one key reached the service, as the emulator recorded it. What clients see comes later, and more
/// evenly.
final class ServiceArrivals: Sendable {
    struct Lost: Error, CustomStringConvertible {
        let description: String
    }

    private let emulator: Emulator
    private let path: String
    /// The number of the last request, and the times of those for the key, in milliseconds since 1970.
    private let state = Lock((last: 0, times: [Int64]()))

    init(_ emulator: Emulator, _ keyTag: String) {
        self.emulator = emulator
        path = "/keys/\(keyTag)/"
    }

    /// Takes what the emulator recorded since the last time. It keeps 1,000 requests.
    ///
    /// - Throws: `Lost` if it has dropped some before they were taken.
    func collect() throws {
        try state.withLock { state in
            let records = emulator.requests(since: state.last)
            guard let first = records.first, let last = records.last else { return }
            guard first.number == state.last + 1 else {
                throw Lost(description: "the requests \(state.last + 1) to \(first.number - 1) were not taken in time")
            }
            state.last = last.number
            state.times += records.lazy.filter { $0.target.contains(self.path) }.map(\.wallClockMilliseconds)
        }
    }

    /// Requests per second from one time to another.
    func rate(from start: Int64, to end: Int64) -> Double {
        Double(times(from: start, to: end).count) * 1_000 / Double(end - start)
    }

    /// The most requests within a second, and when it begins.
    func busiestSecond(from start: Int64, to end: Int64) -> (count: Int, start: Int64) {
        let times = times(from: start, to: end)
        var (busiest, first) = ((count: 0, start: start), 0)
        for (index, time) in times.enumerated() {
            while times[first] <= time - 1_000 { first += 1 }
            if index - first + 1 > busiest.count { busiest = (index - first + 1, times[first]) }
        }
        return busiest
    }

    /// The start of the first second with at least this many requests; nil if there is none.
    func firstSecond(of count: Int, from start: Int64, to end: Int64) -> Int64? {
        let times = times(from: start, to: end)
        return times.indices.dropLast(count - 1).first { times[$0 + count - 1] < times[$0] + 1_000 }.map { times[$0] }
    }

    private func times(from start: Int64, to end: Int64) -> [Int64] {
        state.withLock { $0.times.filter { (start..<end).contains($0) }.sorted() }
    }
}
