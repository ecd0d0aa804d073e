import KMSJSON
import Testing

/// RFC 3629, section 4: which bytes are UTF-8.
@Suite struct JSONTextEncodingTests {
    @Test(
        arguments: [
            [0x80], [0xBF], [0xFE], [0xFF], [0xC0, 0x80], [0xC1, 0xBF], [0xF5, 0x80, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
            // Overlong forms of NUL, slash, U+007F, U+07FF, U+FFFF.
            [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF], [0xF0, 0x80, 0x80, 0xAF],
            [0xF0, 0x8F, 0xBF, 0xBF],
            // Surrogates, and values above U+10FFFF.
            [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0x81, 0xED, 0xB0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            // Cut short by another character.
            [0xC3, 0x61], [0xE2, 0x82], [0xE2, 0x82, 0x61], [0xE2, 0x61, 0x61], [0xF0, 0x9F, 0x98],
            [0xF0, 0x9F, 0x98, 0x61],
            [0xF0, 0x9F, 0x61, 0x61], [0xC3, 0xC3, 0xA9],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused where they begin`(bytes: [UInt8]) {
        for prefix in ["", "1234567", "é", "12345678901234567890"] {
            let text = Array("[\"\(prefix)".utf8) + bytes + Array("\"]".utf8)
            #expect(throws: JSONError(.invalidUTF8, at: 2 + prefix.utf8.count)) { try JSONValue(parsing: text) }
            let name = Array("{\"\(prefix)".utf8) + bytes + Array("\":1}".utf8)
            #expect(throws: JSONError(.invalidUTF8, at: 2 + prefix.utf8.count)) { try JSONValue(parsing: name) }
        }
    }

    @Test(arguments: [[0xC3], [0xE2], [0xE2, 0x82], [0xF0], [0xF0, 0x9F], [0xF0, 0x9F, 0x98]] as [[UInt8]])
    func `a character that is cut off by the end is refused`(bytes: [UInt8]) {
        #expect(throws: JSONError(.invalidUTF8, at: 1)) { try JSONValue(parsing: [0x22] + bytes) }
    }

    @Test func `every scalar is accepted and read as it is`() throws {
        var scalars: [Unicode.Scalar] = []
        for value in stride(from: UInt32(0x20), through: 0x10FFFF, by: 1) where value < 0x3000 || value % 61 == 0 {
            guard let scalar = Unicode.Scalar(value), scalar != "\"", scalar != "\\" else { continue }
            scalars.append(scalar)
        }
        for edge: UInt32 in [
            0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x10FFFE, 0x10FFFF,
        ] {
            if let scalar = Unicode.Scalar(edge) { scalars.append(scalar) }
        }
        var string = String.UnicodeScalarView()
        string.append(contentsOf: scalars)
        let value = try JSONValue(parsing: "\"\(String(string))\"")
        #expect(value.string?.unicodeScalars.elementsEqual(scalars) == true)
    }

    @Test func `UTF-16 and UTF-32 are refused`() {
        for text: [UInt8] in [[0x31, 0], [0, 0x31], [0xFF, 0xFE, 0x31, 0], [0xFE, 0xFF, 0, 0x31], [0x31, 0, 0, 0]] {
            #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        }
    }
}
