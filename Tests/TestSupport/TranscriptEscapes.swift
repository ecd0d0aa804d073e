/// Bytes that are no text, in transcripts: `\n`, `\r`, `\t`, `\\`, `\xHH`, and `\*N{…}` for N times what is in braces,
/// which holds neither braces nor escapes.
enum TranscriptEscapes {
    struct Problem: Error {
        let problem: String
    }

    static func decode(_ text: [UInt8]) throws(Problem) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                decoded.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): decoded.append(0x0A)
            case UInt8(ascii: "r"): decoded.append(0x0D)
            case UInt8(ascii: "t"): decoded.append(0x09)
            case UInt8(ascii: "\\"): decoded.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16) else {
                    throw Problem(problem: "\\x is not followed by two hexadecimal digits")
                }
                decoded.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "*"):
                guard let opening = rest.firstIndex(of: UInt8(ascii: "{")),
                    let closing = rest[opening...].firstIndex(of: UInt8(ascii: "}")),
                    let count = Int(String(decoding: rest[..<opening], as: UTF8.self)), count >= 0
                else { throw Problem(problem: "\\* is not followed by N{…}") }
                for _ in 0..<count { decoded += rest[(opening + 1)..<closing] }
                rest = rest[(closing + 1)...]
            default: throw Problem(problem: "unknown escape; \\\\ stands for a backslash")
            }
        }
        return decoded
    }
}
