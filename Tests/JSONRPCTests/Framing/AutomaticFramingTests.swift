import Testing

@testable import JSONRPC

@Suite struct AutomaticFramingTests {
    @Test(
        arguments: [
            ("", [], .line), ("{}", [.message("{}")], .line),
            ("{}\nContent-Length: 2\n", [.message("{}"), .message("Content-Length: 2")], .line),
            ("C", [.message("C")], .line), ("Content\n", [.message("Content")], .line),
            ("Contents-\n", [.message("Contents-")], .line),
            ("\nContent-Length: 2\r\n\r\nab", [.message("Content-Length: 2"), .message("ab")], .line),
            (" Content-Length: 2\n", [.message(" Content-Length: 2")], .line),
            ("\u{FEFF}{}\n", [.message("{}")], .line),
            ("Content-Length: 2\r\n\r\nab", [.message("ab")], .headers),
            ("CONTENT-length: 2\r\n\r\nab", [.message("ab")], .headers),
            ("content-type: x\r\nContent-Length: 2\r\n\r\nab", [.message("ab")], .headers),
            ("Content-Length: 2\r\n\r\n{}{}\n", [.message("{}"), .stop(-32700)], .headers),
            ("Content-Type: x\r\n\r\n", [.stop(-32700)], .headers), ("Content-", [.stop(-32700)], .headers),
            ("a b c d e f g h i\n{}\n", [.refusal(-32600), .message("{}")], .line),
            ("\r\n{}\r\n", [.message("{}")], .line),
            ("cONTENT-", [.stop(-32700)], .headers),
        ] as [(String, [Frame], FrameStyle)])
    func `the first line decides, wherever the reads end`(input: String, expected: [Frame], style: FrameStyle) {
        let maximum = expected.contains(.refusal(-32600)) ? 10 : 100
        #expect(framesHoweverCut(Array(input.utf8), AutomaticFraming(maximumMessageBytes: maximum)) == expected)

        var framing = AutomaticFraming(maximumMessageBytes: maximum)
        _ = Array(input.utf8).withUnsafeBufferPointer { framing.next(in: $0, isEnd: true) }
        #expect(framing.style == style)
    }
}
