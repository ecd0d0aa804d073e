import KMSJSON
import Testing

@testable import KMSEmulator

@Suite struct RecorderTests {
    private func begin(_ recorder: inout Recorder, body: [UInt8] = [], target: String = "/") -> Int {
        let number = recorder.began(
            RequestHead(method: "POST", target: target), headers: RecordedHeaders(), faults: FaultPlan.Outcome(),
            wallClockMilliseconds: 0)
        recorder.update(number, body: body, status: 200)
        return number
    }

    @Test(arguments: [1, 999, 1_000, 1_001, 3_500])
    func `the last 1,000 requests are kept, in their order`(count: Int) {
        var recorder = Recorder()
        for _ in 0..<count { _ = begin(&recorder) }
        #expect(recorder.records(since: 0).map(\.number) == Array(max(1, count - 999)...count))
        #expect(recorder.records(since: count - 1).map(\.number) == [count])
        #expect(recorder.lastNumber == count)
    }

    @Test func `large ones push out older ones, and the newest is always there`() {
        var recorder = Recorder()
        let megabyte = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0..<40 { _ = begin(&recorder, body: megabyte, target: "") }
        #expect(recorder.records(since: 0).map(\.number) == Array(25...40))
        _ = begin(&recorder, body: [UInt8](repeating: 0x78, count: 20 << 20))
        #expect(recorder.records(since: 0).map(\.number) == [41])
        _ = begin(&recorder)
        #expect(recorder.records(since: 0).map(\.number) == [42])
    }

    @Test func `an update of a request that was forgotten changes nothing`() {
        var recorder = Recorder()
        let first = begin(&recorder)
        for _ in 0..<1_000 { _ = begin(&recorder) }
        recorder.update(first, body: [1], status: 500)
        recorder.update(2_000, body: [1], status: 500)
        #expect(recorder.records(since: 0).allSatisfy { $0.status == 200 && $0.body == [] })
    }

    @Test(arguments: [
        ("x-ncp-apigw-signature-v2", true), ("X-NCP-IAM-Access-Key", true), ("x-ncp-ocapi-token", true),
        ("X-NCP-APIGW-API-KEY", true), ("Authorization", true), ("Proxy-Authorization", true), ("Cookie", true),
        ("x-amz-security-token", true), ("x-secret", true), ("Host", false), ("x-ncp-apigw-timestamp", false),
        ("Content-Type", false), ("toke", false), ("", false),
    ])
    func `headers that authenticate are known by their names`(name: String, isSecret: Bool) {
        var headers = RecordedHeaders()
        for (name, value) in [(name, "v"), ("z", "")] {
            Array(name.utf8).withUnsafeBufferPointer { name in
                Array(value.utf8).withUnsafeBufferPointer { headers.append(name: name, value: $0) }
            }
        }
        #expect(headers.fields.map(\.name) == [name.lowercased(), "z"])
        #expect(headers.fields.map(\.value) == [isSecret ? "<redacted>" : "v", ""])
    }

    @Test func `faults are described in the words of the option`() throws {
        let texts = ["skew=+1s", "delay=5", "close-every=1", "truncate"]
        var plan = FaultPlan(try texts.map { try Fault(parsing: $0) })
        let outcome = plan.outcome(keyTag: nil, requestOfConnection: 1) { 0 }
        #expect(outcome.summary == "skew=1000ms,delay=5,close-every,truncate")
        #expect(FaultPlan.Outcome().summary == nil)
    }
}
