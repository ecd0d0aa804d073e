import JSON
import Testing

@Suite struct JSONWriterTests {
    @Test func `commas and colons are the writer's business`() {
        var json = JSONWriter()
        json.object { object in
            object.member("keySize", 2048)
            object.member("names") { $0.array { $0.value("a"); $0.null() } }
            object.member("empty") { $0.object { _ in } }
        }
        #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"keySize":2048,"names":["a",null],"empty":{}}"#)
    }
}
