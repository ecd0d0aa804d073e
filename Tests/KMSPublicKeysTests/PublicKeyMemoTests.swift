import KMSJSON
import KMSPublicKeys
import Testing

extension PublicKeyMemo {
    /// The key of a text that is sent as JSON.
    fileprivate mutating func key(_ pem: [UInt8]) throws -> PublicKey {
        var json = JSONWriter()
        json.value(String(decoding: pem, as: UTF8.self))
        return try key(forPEM: JSONValue(parsing: json.bytes))
    }
}

@Suite struct PublicKeyMemoTests {
    private func newText() throws -> [UInt8] { try Array(pem("PUBLIC KEY", KeyPair.ec(.p256).spki).utf8) }

    @Test func `the same text is the same key, which was read once`() throws {
        var memo = PublicKeyMemo()
        let text = try newText()
        let key = try memo.key(text)
        for _ in 0..<100 {
            let again = try memo.key(text)
            #expect(again === key)
        }
    }

    @Test func `another text of the same key is another entry`() throws {
        var memo = PublicKeyMemo()
        let text = try newText()
        let first = try memo.key(text)
        let second = try memo.key(text + [0x0A])
        #expect(first !== second)
        #expect(first.spki == second.spki)
        #expect(second.pem == text + [0x0A])
    }

    @Test func `another spelling of the same text is another entry`() throws {
        var memo = PublicKeyMemo()
        let text = String(decoding: try newText(), as: UTF8.self).replacing("\n", with: #"\n"#)
        let key = try memo.key(forPEM: JSONValue(parsing: "\"\(text)\""))
        let again = try memo.key(
            forPEM: JSONValue(parsing: "\"\(text.replacing("-----BEGIN", with: #"\u002d----BEGIN"#))\""))
        #expect(again !== key)
        #expect(again.pem == key.pem)
    }

    @Test func `a failure is not remembered`() throws {
        var memo = PublicKeyMemo()
        for _ in 0..<3 {
            #expect(throws: PublicKeyError.notPEM) { try memo.key([]) }
        }
    }

    @Test func `beyond its capacity the key used least recently is forgotten`() throws {
        var memo = PublicKeyMemo(capacity: 2)
        let (a, b, c) = (try newText(), try newText(), try newText())
        let keys = try [a, b, a, c].map { try memo.key($0) }
        #expect(keys[0] === keys[2])
        let (again, anew) = (try memo.key(a), try memo.key(b))
        #expect(again === keys[0])
        #expect(anew !== keys[1])
    }

    @Test func `1,024 keys are remembered`() throws {
        var memo = PublicKeyMemo()
        let text = try newText()
        // White space makes a text of its own.
        let texts = (0...1_024).map { text + [UInt8](repeating: 0x0A, count: $0) }
        let keys = try texts.prefix(1_024).map { try memo.key($0) }
        for (text, key) in zip(texts, keys) {
            let again = try memo.key(text)
            #expect(again === key)
        }
        _ = try memo.key(texts[1_024])
        let anew = try memo.key(texts[0])
        #expect(anew !== keys[0])
    }
}
