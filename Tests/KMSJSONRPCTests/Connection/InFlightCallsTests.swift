import KMSJSON
import KMSPlatform
import Testing

@testable import KMSJSONRPC

@Suite struct InFlightCallsTests {
    private let session: Session

    init() throws {
        session = try Session()
    }

    private func id(_ json: String) throws -> RequestID {
        try Array(json.utf8).withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes)
            return RequestID(try scanner.scanText(), in: bytes)
        }
    }

    @discardableResult
    private func insert(_ number: Int, _ json: String?, size: Int = 10, into calls: inout InFlightCalls) throws -> Call
    {
        let id = try json.map(id)
        return calls.insert(size: size) {
            Call(
                $0, number: number, id: id, arrival: Instant(nanoseconds: 0), place: .single,
                connection: session.connection)
        }
    }

    @Test(arguments: [
        (#""a""#, #""a""#, true), (#""a""#, #""\u0061""#, true), (#""\u00e9""#, #""é""#, true),
        (#""\"a\"""#, #""\u0022a\u0022""#, true), (#""\/""#, #""/""#, true), ("null", "null", true),
        (#""1""#, "1", false), (#""null""#, "null", false), ("1", "1.0", false), ("1e2", "100", false),
        ("18446744073709551616", "18446744073709551617", false), (#""\n""#, #""n""#, false), (#""""#, #"" ""#, false),
        (#""é""#, #""e\u0301""#, false),
    ])
    func `strings are compared by their characters, numbers as they are written`(
        left: String, right: String, areEqual: Bool
    ) throws {
        let (left, right) = (try id(left), try id(right))
        #expect((left == right) == areEqual)
        if areEqual { #expect(left.hashValue == right.hashValue) }
    }

    @Test func `the calls with an id are found in the order of their arrival, as long as they last`() throws {
        var calls = InFlightCalls()
        let all = try (0..<6).map { try insert($0, ["1", "1", nil, "\"1\"", "1", "1"][$0], into: &calls) }
        #expect(calls.count == 6 && calls.bytes == 60)
        #expect(calls.calls(withID: try id("1")).map(\.number) == [0, 1, 4, 5])
        #expect(calls.remove(all[0])?.call === all[0])
        #expect(calls.remove(all[0]) == nil)
        #expect(calls.remove(all[4])?.call === all[4])
        #expect(calls.calls(withID: try id("1")).map(\.number) == [1, 5])
        let next = try insert(6, "1", into: &calls)
        #expect(calls.calls(withID: try id("1")).map(\.number) == [1, 5, 6])
        for call in [all[1], all[5], next] { #expect(calls.remove(call) != nil) }
        #expect(calls.calls(withID: try id("1")).isEmpty)
        #expect(calls.calls(withID: try id("\"1\"")).map(\.number) == [3])
        #expect(calls.all.map(\.number) == [2, 3] && calls.bytes == 20)
        #expect(calls.removeAll().map(\.call.number) == [2, 3])
        #expect(calls.count == 0 && calls.bytes == 0)
        #expect(calls.calls(withID: try id("\"1\"")).isEmpty)
    }

    @Test(arguments: 58...66)
    func `a label in a log is the beginning of a long id, and cuts no character`(count: Int) throws {
        let text = "\"" + String(repeating: "x", count: count) + "키키"
        var calls = InFlightCalls()
        let label = try #require(try insert(0, text + "\"", into: &calls).label)
        #expect(label.hasSuffix("…"))
        #expect(text.hasPrefix(label.dropLast()))
        #expect((62...64).contains(label.dropLast().utf8.count))
    }

    /// CPU time of this thread, in nanoseconds.
    private func cost(of body: () throws -> Void) rethrows -> Int {
        func now() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
        let start = now()
        try body()
        return now() - start
    }

    /// The symptom: each cancel read the ids of all calls in flight, so that 1,000 of them took 17 s.
    @Test func `looking an id up costs the same however many calls there are, and however long their ids`() throws {
        let wanted = try id(#""\u0061\u0062c""#)
        func costOfLookups(inFlight count: Int) throws -> Int {
            var calls = InFlightCalls()
            for number in 0..<count {
                let json = "\"\(number)\(String(repeating: #"\u0061"#, count: 1_000))\""
                try insert(number, json, size: 6_000, into: &calls)
            }
            var found = 0
            let cost = cost { for _ in 0..<20_000 { found += calls.calls(withID: wanted).count } }
            #expect(found == 0)
            return cost
        }
        let few = try costOfLookups(inFlight: 4)
        let many = try costOfLookups(inFlight: 512)
        #expect(many < 16 * few, "\(many) against \(few) ns")
    }

    @Test func `calls that share an id end at the same cost however many there are`() throws {
        func costOfEnding(_ count: Int) throws -> Int {
            try cost {
                var calls = InFlightCalls()
                let all = try (0..<count).map { try insert($0, "1", into: &calls) }
                for call in all { _ = calls.remove(call) }
            }
        }
        let few = try costOfEnding(1_000)
        let many = try costOfEnding(32_000)
        #expect(many < 32 * 8 * few, "\(many) against \(few) ns")
    }
}
