import KMSPlatform
import Testing

@Suite struct Base64Tests {
    private func decodeLines(_ text: String) -> [UInt8]? {
        Array(text.utf8).withUnsafeBufferPointer { Base64.decode($0, skipsWhitespace: true) }
    }

    // RFC 4648, section 10.
    static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]

    @Test(arguments: vectors)
    func `the vectors of RFC 4648 hold both ways`(plain: String, text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
    }

    @Test func `the URL's alphabet has no plus, slash or padding`() {
        #expect(Base64.encode([0xFB, 0xFF, 0xFE, 0xFF]) == "+//+/w==")
        #expect(Base64.encodeForURL([0xFB, 0xFF, 0xFE, 0xFF]) == "-__-_w")
        #expect(Base64.encodeForURL([]) == "")
    }

    @Test func `every byte at every length comes back`() {
        for count in 0..<100 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 67 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        let large = [UInt8](repeating: 0xA7, count: 1_000_000)
        #expect(Base64.decode(Base64.encode(large)) == large)
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=", "==", "====", "Z===", "Zg==Zg==", "Zm=v", " Zm9v", "Zm9v\n",
        "Zm9v ", "Zm9 v", "Zm\r\n", "Zm9v    ", "    ", "\n\n\n\n", "Zm9-", "Zm9_", "Zm9%", "Zm9\0", "Zm\u{E9}",
        "Zm9v=",
        "Zm9v====", "-g==", "A=B=",
    ])
    func `a text that is not canonical stands for nothing`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["Zm9v\nYmFy\n", "Zm9\r\nvYmFy", " Z m 9 v Y m F y ", "\tZm9vYmF\u{C}y"])
    func `white space is skipped where it may stand`(text: String) {
        #expect(decodeLines(text) == Array("foobar".utf8))
    }

    @Test(arguments: ["Zg=\n=\n", "Z\ng= =", "Zg==\r\n"])
    func `white space is skipped around the padding, too`(text: String) {
        #expect(decodeLines(text) == [0x66])
    }

    @Test(arguments: ["Zm9\nv Z", "Zg=\n", "Zg==\nZg==", "Zm9v:", "\u{A0}Zm9v"])
    func `white space makes no other text valid`(text: String) {
        #expect(decodeLines(text) == nil)
    }

    @Test(arguments: ["+//+/w==", "-__-_w==", "-__-_w", "+//+/w"])
    func `either alphabet is read, padded or not`(text: String) {
        #expect(Base64.decodeAnyAlphabet(text) == [0xFB, 0xFF, 0xFE, 0xFF])
    }

    @Test(arguments: ["+__+_w", "-//-/w==", "-__-_w=", "Z", "Zh", "Zg=", "Zm9v====", " Zg", "Zg\n", "=", "A=B="])
    func `two alphabets mixed, and what is not canonical, stand for nothing`(text: String) {
        #expect(Base64.decodeAnyAlphabet(text) == nil)
    }
}
