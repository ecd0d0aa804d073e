import Testing

@testable import KMSJSONRPC

@Suite struct LineFramingTests {
    private static let mark = "\u{FEFF}"

    @Test(
        arguments: [
            ("", []), ("a", [.message("a")]), ("a\n", [.message("a")]), ("a\nb", [.message("a"), .message("b")]),
            ("a\r\nb\r\n", [.message("a"), .message("b")]), ("a\r", [.message("a")]), ("a\rb\n", [.message("a\rb")]),
            ("\n", []), ("\r\n", []), ("\n\n\r\n \t\r\n\na\n\n", [.message("a")]), (" \t ", []),
            (" a \n", [.message(" a ")]),
            ("a\n ", [.message("a")]), ("\r\r\n", []), ("a\r\r\n", [.message("a\r")]),
            // A byte order mark is skipped at the very start alone.
            (mark, []), (mark + "a\n", [.message("a")]), (mark + "\na\n", [.message("a")]),
            (mark + "\r\n" + mark + "a\n", [.message(mark + "a")]),
            (mark + mark + "a", [.message(mark + "a")]), ("a\n" + mark + "b\n", [.message("a"), .message(mark + "b")]),
            ("\n" + mark + "a", [.message(mark + "a")]),
            // The longest line has eight bytes, its end not counted.
            ("12345678\n", [.message("12345678")]), ("12345678\r\n", [.message("12345678")]),
            ("12345678", [.message("12345678")]),
            ("12345678\r", [.message("12345678")]), ("123456789\n", [.refusal(-32600)]),
            ("123456789\r\n", [.refusal(-32600)]),
            ("123456789", [.refusal(-32600)]), ("1234567890\nab\n", [.refusal(-32600), .message("ab")]),
            ("12345678\r\r\n", [.refusal(-32600)]), ("123456789012345678901234567890", [.refusal(-32600)]),
            ("ab\n123456789012345678901234567890\r\n\ncd", [.message("ab"), .refusal(-32600), .message("cd")]),
            ("1234567890\n1234567890\n", [.refusal(-32600), .refusal(-32600)]),
            (mark + "12345678\n", [.message("12345678")]),
            (mark + "123456789\n", [.refusal(-32600)]), ("         \n", [.refusal(-32600)]), ("        \n", []),
        ] as [(String, [Frame])])
    func `lines are cut the same wherever the reads end`(input: String, expected: [Frame]) {
        #expect(framesHoweverCut(Array(input.utf8), LineFraming(maximumMessageBytes: 8)) == expected)
    }

    @Test(
        arguments: [
            [0xEF], [0xEF, 0xBB], [0xEF, 0xBB, 0x0A], [0xEF, 0x61, 0x0A], [0xEF, 0xBB, 0x61], [0xFF, 0xFE],
        ] as [[UInt8]])
    func `half of a byte order mark is part of the line`(input: [UInt8]) {
        let line = input.filter { $0 != 0x0A }
        #expect(
            framesHoweverCut(input, LineFraming(maximumMessageBytes: 8)) == [
                .message(String(decoding: line, as: UTF8.self))
            ])
    }

    @Test func `a line that is too long takes no memory`() {
        let input = Array(repeating: UInt8(ascii: "x"), count: 100_000) + Array("\nab\n".utf8)
        let result = frames(
            of: input, cutAt: Array(stride(from: 0, to: input.count, by: 10)), LineFraming(maximumMessageBytes: 100))
        #expect(result.frames == [.refusal(-32600), .message("ab")])
        #expect(result.mostHeld <= 100 + 2 + 10)
    }

    @Test func `the largest maximum does not overflow`() {
        #expect(frames(of: "abc", LineFraming(maximumMessageBytes: .max)) == [.message("abc")])
    }
}
