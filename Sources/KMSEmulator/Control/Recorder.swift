import KMSJSON
import KMSPlatform

/// The last requests, for tests that look at what a client has sent; also the answer to `GET /_emulator/requests`.
/// Control requests are not among them, and nothing that authenticates a request is kept.
struct Recorder: Sendable {
    /// The most requests that are kept; fewer if they are large.
    static let maximumCount = 1_000
    /// What their headers and bodies may take together.
    static let maximumBytes = 16 << 20

    struct Record: Sendable {
        /// 1 for the emulator's first request; ascends in the order in which their headers arrived.
        let number: Int
        /// When its headers arrived: milliseconds since 1970 by the emulator's clock, without a fault's skew.
        let wallClockMilliseconds: Int64
        let method: String
        /// Path and query, as they came.
        let target: String
        let headers: RecordedHeaders
        let faults: FaultPlan.Outcome
        /// Nil until it has arrived, and for one that was too large.
        var body: [UInt8]?
        /// Nil until there is an answer.
        var status: Int?

        fileprivate var bytes: Int { headers.bytes + target.utf8.count + (body?.count ?? 0) }
    }

    /// A ring buffer: `count` records in the order of their numbers, from the index `first` on.
    private var records: ContiguousArray<Record?> = []
    private var first = 0
    private var count = 0
    private var bytes = 0
    private(set) var lastNumber = 0

    /// Notes that a request has begun.
    ///
    /// - Returns: the request's number.
    mutating func began(
        _ head: RequestHead, headers: RecordedHeaders, faults: FaultPlan.Outcome, wallClockMilliseconds: Int64
    ) -> Int {
        if records.isEmpty { records = ContiguousArray(repeating: nil, count: Self.maximumCount) }
        if count == Self.maximumCount { dropFirst() }
        lastNumber += 1
        let record = Record(
            number: lastNumber, wallClockMilliseconds: wallClockMilliseconds, method: head.method, target: head.target,
            headers: headers, faults: faults)
        records[(first + count) % Self.maximumCount] = record
        count += 1
        grow(by: record.bytes)
        return lastNumber
    }

    /// Notes the body of a request, and the status of its answer if there is one; does nothing if the request was
    /// forgotten.
    mutating func update(_ number: Int, body: [UInt8]?, status: Int?) {
        let offset = number - (lastNumber - count + 1)
        guard (0..<count).contains(offset) else { return }
        let index = (first + offset) % Self.maximumCount
        let isNew = records[index]?.body == nil
        // A copy of its own: the capacity of the other one may be larger, and would not be counted.
        if isNew { records[index]?.body = body?.withUnsafeBufferPointer(Array.init) }
        records[index]?.status = status
        if isNew { grow(by: body?.count ?? 0) }
    }

    /// Those after this number, the oldest first.
    func records(since number: Int) -> [Record] {
        (0..<count).compactMap { records[(first + $0) % Self.maximumCount] }.filter { $0.number > number }
    }

    /// `{"requests":[…],"last":N}`, where `last` is what `since` takes to get the ones that come after these.
    func write(since number: Int, to json: inout JSONWriter) {
        json.object { object in
            object.member("requests") { json in
                json.array { array in for record in records(since: number) { array.value(record) } }
            }
            object.member("last", lastNumber)
        }
    }

    /// Forgets all; numbers go on.
    mutating func reset() {
        records = []
        (first, count, bytes) = (0, 0, 0)
    }

    private mutating func grow(by more: Int) {
        bytes += more
        while bytes > Self.maximumBytes, count > 1 { dropFirst() }
    }

    private mutating func dropFirst() {
        bytes -= records[first]?.bytes ?? 0
        records[first] = nil
        first = (first + 1) % Self.maximumCount
        count -= 1
    }
}

extension Recorder.Record: JSONWritable {
    func write(to json: inout JSONWriter) {
        json.object { object in
            object.member("number", number)
            object.member("time", CivilTime(milliseconds: wallClockMilliseconds).rfc3339)
            object.member("method", method)
            object.member("path", target)
            object.member("headers") { json in
                json.object { object in
                    for (name, value) in headers.fields { object.member(named: name, value) }
                }
            }
            // Bytes that are not UTF-8 become U+FFFD.
            object.member("body", body.map { String(decoding: $0, as: UTF8.self) })
            object.member("status", status)
            object.member("fault", faults.summary)
        }
    }
}

/// The headers of a request in one array, without the values of those that authenticate it.
struct RecordedHeaders: Sendable, Equatable {
    /// Replaces a secret.
    static let redacted = Array("<redacted>".utf8)

    /// Name, NUL, value, NUL, and so on.
    private var text: [UInt8] = []

    var bytes: Int { text.count }

    mutating func reserve() { text.reserveCapacity(512) }

    mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        text.append(contentsOf: name)
        text.append(0)
        if Self.isSecret(name) {
            text.append(contentsOf: Self.redacted)
        } else {
            text.append(contentsOf: value)
        }
        text.append(0)
    }

    /// Names in lower case, each once; the values of a repeated one are joined with commas (RFC 9110, section 5.3).
    var fields: [(name: String, value: String)] {
        let parts = text.split(separator: 0, omittingEmptySubsequences: false)
        var fields: [(name: String, value: String)] = []
        for index in stride(from: 0, to: parts.count - 1, by: 2) {
            let name = String(decoding: parts[index].map(\.asciiLowercased), as: UTF8.self)
            let value = String(decoding: parts[index + 1], as: UTF8.self)
            if let earlier = fields.firstIndex(where: { $0.name == name }) {
                fields[earlier].value += ", \(value)"
            } else {
                fields.append((name, value))
            }
        }
        return fields
    }

    /// Words in the names of headers that hold secrets: the API's own, in any version, and the usual ones, which a client
    /// may send by mistake.
    private static let secretWords: [StaticString] = [
        "signature", "access-key", "token", "api-key", "secret", "authorization", "cookie", "password",
    ]

    private static func isSecret(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        for start in name.indices {
            let first = name[start].asciiLowercased
            for word in secretWords where word.utf8Start[0] == first && name.count - start >= word.utf8CodeUnitCount {
                let isThere = (1..<word.utf8CodeUnitCount).allSatisfy {
                    name[start + $0].asciiLowercased == word.utf8Start[$0]
                }
                if isThere { return true }
            }
        }
        return false
    }
}
