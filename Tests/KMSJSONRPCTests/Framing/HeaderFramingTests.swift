import Testing

@testable import KMSJSONRPC

@Suite struct HeaderFramingTests {
    private static let filler = String(repeating: "f", count: 8_192)

    @Test(
        arguments: [
            ("", []), ("Content-Length: 2\r\n\r\nab", [.message("ab")]), ("Content-Length: 2\n\nab", [.message("ab")]),
            ("Content-Length: 2\r\n\r\nabContent-Length: 1\r\n\r\nc", [.message("ab"), .message("c")]),
            ("content-LENGTH:2\r\n\r\nab", [.message("ab")]), ("Content-Length: \t 02 \t\r\n\r\nab", [.message("ab")]),
            (
                "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\nab",
                [.message("ab")]
            ),
            ("Content-Length: 2\r\nContent-Type: x:y\r\n\r\nab", [.message("ab")]),
            ("Content-Length: 2\r\nX-Empty:\r\n\r\nab", [.message("ab")]),
            ("Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", [.message("ab")]),
            // The body's bytes are its own: line ends and headers in it are not looked at.
            ("Content-Length: 4\r\n\r\n\r\n\r\nContent-Length: 1\r\n\r\nx", [.message("\r\n\r\n"), .message("x")]),
            ("Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\nx", [.message("x")]),
            ("Content-Length: 2\r\n\r\nab\r\n\r\n\nContent-Length: 1\r\n\r\nx\n", [.message("ab"), .message("x")]),
            // White space on lines of its own is no header block, nor is a byte order mark at the start.
            (
                " \t\nContent-Length: 2\r\n\r\nab \r\n\t\nContent-Length: 1\r\n\r\nx \n ",
                [.message("ab"), .message("x")]
            ),
            ("\u{FEFF}Content-Length: 2\r\n\r\nab", [.message("ab")]),
            ("\u{FEFF}\nContent-Length: 1\n\na", [.message("a")]),
            ("Content-Length: 1\n\na\u{FEFF}Content-Length: 1\n\nb", [.message("a"), .stop(-32700)]),
            (" Content-Length: 1\n\na", [.stop(-32700)]),
            ("Content-Length: 3\r\n\r\né!Content-Length: 1\r\n\r\nx", [.message("é!"), .message("x")]),
            // Too long: skipped, and the stream stays in step.
            ("Content-Length: 9\r\n\r\n123456789Content-Length: 2\r\n\r\nab", [.refusal(-32600), .message("ab")]),
            ("Content-Length: 8\r\n\r\n12345678Content-Length: 2\r\n\r\nab", [.message("12345678"), .message("ab")]),
            ("Content-Length: 30\r\n\r\nContent-Length: 2\r\n\r\nab", [.refusal(-32600)]),
            ("Content-Length: 9223372036854775807\r\n\r\nabc", [.refusal(-32600)]),
            // Not to be understood: the stream ends.
            ("Content-Length: 9223372036854775808\r\n\r\nabc", [.stop(-32700)]),
            ("Content-Length: 99999999999999999999999999\r\n\r\nabc", [.stop(-32700)]),
            ("Content-Length: -1\r\n\r\nabc", [.stop(-32700)]), ("Content-Length: +1\r\n\r\na", [.stop(-32700)]),
            ("Content-Length: -9223372036854775808\r\n\r\na", [.stop(-32700)]),
            ("Content-Length: 1.0\r\n\r\na", [.stop(-32700)]),
            ("Content-Length: 0x1\r\n\r\na", [.stop(-32700)]), ("Content-Length:\r\n\r\na", [.stop(-32700)]),
            ("Content-Length: two\r\n\r\nab", [.stop(-32700)]), ("Content-Length: ２\r\n\r\nab", [.stop(-32700)]),
            ("Content-Length 2\r\n\r\nab", [.stop(-32700)]), ("Content-Type: x\r\n\r\nab", [.stop(-32700)]),
            ("Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", [.stop(-32700)]), ("{}\r\n\r\n", [.stop(-32700)]),
            ("Content-Length: 2\r\ngarbage\r\n\r\nab", [.stop(-32700)]),
            ("Content-Length: 1\r\n\r\nxgarbage", [.message("x"), .stop(-32700)]),
            // Cut off.
            ("Content-Length: 2\r\n\r\na", [.stop(-32700)]), ("Content-Length: 2\r\n\r\n", [.stop(-32700)]),
            ("Content-Length: 2\r\n\r", [.stop(-32700)]), ("Content-Length: 2", [.stop(-32700)]),
            ("C", [.stop(-32700)]),
            // A block has 8 KiB at most.
            ("X: \(filler)\r\nContent-Length: 2\r\n\r\nab", [.stop(-32700)]), ("\(filler)\(filler)", [.stop(-32700)]),
        ] as [(String, [Frame])])
    func `bodies are cut the same wherever the reads end`(input: String, expected: [Frame]) {
        if input.utf8.count < 500 {
            #expect(framesHoweverCut(Array(input.utf8), HeaderFraming(maximumMessageBytes: 8)) == expected)
        } else {
            for step in [7, 1_000, 8_192, 100_000] {
                let cuts = Array(stride(from: 0, to: input.utf8.count, by: step))
                #expect(
                    frames(of: Array(input.utf8), cutAt: cuts, HeaderFraming(maximumMessageBytes: 8)).frames == expected
                )
            }
        }
    }

    @Test func `a header block of exactly 8 KiB is read`() {
        let frame = "Content-Length: 2\r\nX: \r\n\r\n"
        let filler = String(repeating: "f", count: HeaderFraming.maximumHeaderBytes - frame.utf8.count)
        let input = Array("Content-Length: 2\r\nX: \(filler)\r\n\r\nab".utf8)
        for cuts in [
            [], [HeaderFraming.maximumHeaderBytes - 1], [HeaderFraming.maximumHeaderBytes], [4_000, 8_191, 8_193],
        ] {
            #expect(frames(of: input, cutAt: cuts, HeaderFraming(maximumMessageBytes: 8)).frames == [.message("ab")])
        }
    }

    /// The symptom: white space inside the number was dropped, so that `1 2` was a body of twelve bytes.
    @Test(arguments: ["1 2", "1\t2", "2 ,", "1 1"])
    func `a number of bytes with a gap in it is no number`(digits: String) {
        let input = Array("Content-Length: \(digits)\r\n\r\n123456789012".utf8)
        #expect(framesHoweverCut(input, HeaderFraming(maximumMessageBytes: 100)) == [.stop(-32700)])
    }

    /// The symptom: the text was searched for colons as `Character`s, which a combining mark hides.
    @Test func `headers are read as bytes`() {
        let input = Array("X:\u{301}y\r\nContent-Length: 2\r\n\r\nab".utf8)
        #expect(framesHoweverCut(input, HeaderFraming(maximumMessageBytes: 8)) == [.message("ab")])
        let broken: [UInt8] = Array("X: ".utf8) + [0xFF, 0xC3] + Array("\r\nContent-Length: 2\r\n\r\nab".utf8)
        #expect(framesHoweverCut(broken, HeaderFraming(maximumMessageBytes: 8)) == [.message("ab")])
    }

    /// The symptom: the sum of a header block's end and the largest length that is allowed overflowed.
    @Test func `the largest maximum does not overflow`() {
        let input = "Content-Length: 9223372036854775807\r\n\r\nabc"
        #expect(frames(of: input, HeaderFraming(maximumMessageBytes: .max)) == [.stop(-32700)])
    }

    /// The symptom: it was taken for a header block that is too long.
    @Test func `white space between messages takes no memory, however long it is`() {
        let gap = String(repeating: " \t", count: 50_000)
        let input = Array("Content-Length: 1\n\na\(gap)\r\nContent-Length: 1\n\nb\(gap)Content-Length: 1\n\nc".utf8)
        let cuts = Array(stride(from: 0, to: input.count, by: 10))
        let result = frames(of: input, cutAt: cuts, HeaderFraming(maximumMessageBytes: 100))
        #expect(result.frames == [.message("a"), .message("b"), .stop(-32700)])
        #expect(result.mostHeld < 100)
    }

    @Test func `a body that is too long takes no memory`() {
        let body = Array(repeating: UInt8(ascii: "x"), count: 100_000)
        let input = Array("Content-Length: 100000\r\n\r\n".utf8) + body + Array("Content-Length: 2\r\n\r\nab".utf8)
        let cuts = Array(stride(from: 0, to: input.count, by: 10))
        let result = frames(of: input, cutAt: cuts, HeaderFraming(maximumMessageBytes: 100))
        #expect(result.frames == [.refusal(-32600), .message("ab")])
        #expect(result.mostHeld < 100)
    }
}
