import Testing

@testable import KMSJSONRPC

@Suite struct AutomaticFramingTests {
    @Test(
        arguments: [
            ("", [], .line), ("{}", [.message("{}")], .line),
            ("{}\nContent-Length: 2\n", [.message("{}"), .message("Content-Length: 2")], .line),
            ("C", [.message("C")], .line), ("Content\n", [.message("Content")], .line),
            ("Contents-\n", [.message("Contents-")], .line),
            // What is blank does not decide, nor does a byte order mark at the start.
            ("\nContent-Length: 2\r\n\r\nab", [.message("ab")], .headers),
            (" \t\r\n\n  \nContent-Length: 2\r\n\r\nab", [.message("ab")], .headers),
            ("\u{FEFF}Content-Length: 2\r\n\r\nab", [.message("ab")], .headers),
            ("\u{FEFF}\r\n \nContent-Length: 2\r\n\r\nab", [.message("ab")], .headers),
            ("\u{FEFF}\n\u{FEFF}{}\n", [.message("\u{FEFF}{}")], .line), ("\u{FEFF}", [], .line), (" \n ", [], .line),
            ("\n \u{FEFF}Content-Length: 2\n", [.message("\u{FEFF}Content-Length: 2")], .line),
            (" \r\n {}\n", [.message("{}")], .line),
            (" Content-Length: 2\n", [.message("Content-Length: 2")], .line),
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
        var rest = Array(input.utf8)
        while case .skip(let count) = rest.withUnsafeBufferPointer({ framing.next(in: $0, isEnd: true) }) {
            rest.removeFirst(count)
        }
        #expect(framing.style == style)
    }

    /// The symptom: more than 8 KiB of white space on one line decided for lines.
    @Test(
        arguments: [
            ("\nContent-Length: 2\r\n\r\nab", .message("ab"), .headers), ("\n{}\n", .message("{}"), .line),
            ("{}\n", .message("{}"), .line), ("Content-Length: 2\n", .message("Content-Length: 2"), .line),
        ] as [(String, Frame, FrameStyle)])
    func `white space before the first message is skipped in either form, and takes no memory`(
        first: String, expected: Frame, style: FrameStyle
    ) {
        for count in [8_191, 8_192, 8_193, 100_000] {
            let input = Array((String(repeating: " \t\r ", count: count / 4 + 1) + first).utf8)
            let cuts = Array(stride(from: 0, to: input.count, by: 100))
            let result = frames(of: input, cutAt: cuts, AutomaticFraming(maximumMessageBytes: 100))
            #expect(result.frames == [expected])
            #expect(result.mostHeld <= 200)
        }
    }
}
