import KMSJSON
import KMSPlatform

/// The last requests, for tests that check what a client sent; also the answer to `GET /_emulator/requests`. Control
/// requests are not recorded, and credentials are redacted.
package struct Recorder: Sendable {
    /// The maximum number of recorded requests; fewer are kept if they are large.
    static let maximumCount = 1_000
    /// The maximum total size of their targets, headers and bodies.
    static let maximumBytes = 16 << 20

    package struct Record: Sendable {
        /// 1 for the emulator's first request; increases in the order in which the headers arrived.
        package let number: Int
        /// When the headers arrived: milliseconds since 1970 by the emulator's clock, without a fault's skew.
        package let wallClockMilliseconds: Int64
        package let method: String
        /// Path and query, as received.
        package let target: String
        package let headers: RecordedHeaders
        let faults: FaultPlan.Outcome
        /// Nil until it has arrived, or if it was too large.
        package var body: [UInt8]?
        /// Nil until the request is answered.
        package var status: Int?

        /// The fault that the request triggered, in the syntax of `--fault`; nil if there was none.
        package var faultSummary: String? { faults.summary }

        fileprivate var bytes: Int { headers.bytes + target.utf8.count + (body?.count ?? 0) }
    }

    /// A ring buffer: `count` records in the order of their numbers, starting at the index `first`.
    private var records: ContiguousArray<Record?> = []
    private var first = 0
    private var count = 0
    private var bytes = 0
    private(set) var lastNumber = 0

    /// Records the start of a request.
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

    /// Records the body of a request, and the status of its answer if there is one. Does nothing if the request has
    /// been dropped.
    mutating func update(_ number: Int, body: [UInt8]?, status: Int?) {
        let offset = number - (lastNumber - count + 1)
        guard (0..<count).contains(offset) else { return }
        let index = (first + offset) % Self.maximumCount
        let isNew = records[index]?.body == nil
        // Copied, because the capacity of the given array may be larger and would not be accounted for.
        if isNew { records[index]?.body = body?.withUnsafeBufferPointer(Array.init) }
        records[index]?.status = status
        if isNew { grow(by: body?.count ?? 0) }
    }

    /// The requests after this number, oldest first.
    func records(since number: Int) -> [Record] {
        (0..<count).compactMap { records[(first + $0) % Self.maximumCount] }.filter { $0.number > number }
    }

    /// Writes `{"requests":[…],"last":N}`; pass `last` as `since` to get the requests after these.
    func write(since number: Int, to json: inout JSONWriter) {
        json.object { object in
            object.member("requests") { json in
                json.array { array in for record in records(since: number) { array.value(record) } }
            }
            object.member("last", lastNumber)
        }
    }

    /// Drops all records; the numbering continues.
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
    package func write(to json: inout JSONWriter) {
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
            // Invalid UTF-8 becomes U+FFFD.
            object.member("body", body.map { String(decoding: $0, as: UTF8.self) })
            object.member("status", status)
            object.member("fault", faultSummary)
        }
    }
}

/// The headers of a request in one array; the values of those that authenticate it are redacted.
package struct RecordedHeaders: Sendable, Equatable {
    /// Replaces a secret value.
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

    /// Names in lower case, each once; the values of a repeated header are joined with commas (RFC 9110, section 5.3).
    package var fields: [(name: String, value: String)] {
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

    /// Headers whose names contain one of these words contain secrets: the API's own, in any version, and common ones
    /// that a client may send by mistake.
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
