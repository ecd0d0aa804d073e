import JSON

/// A line that a transcript expects. `…` where a JSON value would begin stands for any one JSON value; everything else
/// stands for itself, byte for byte.
package struct TranscriptLine: Sendable {
    package let lineNumber: Int
    package let text: String

    package init(lineNumber: Int, text: String) {
        self.lineNumber = lineNumber
        self.text = text
    }

    package func matches(_ line: [UInt8]) -> Bool {
        let pieces = literals
        var offset = 0
        for (index, literal) in pieces.enumerated() {
            guard line[offset...].starts(with: literal) else { return false }
            offset += literal.count
            if index == pieces.count - 1 { break }
            guard let end = Self.endOfValue(in: line, from: offset) else { return false }
            offset = end
        }
        return offset == line.count
    }

    /// What stands between the wildcards.
    private var literals: [[UInt8]] {
        let wildcard = Array("…".utf8)
        let bytes = Array(text.utf8)
        var literals: [[UInt8]] = [[]]
        var isInString = false
        var isEscaped = false
        var index = 0
        while index < bytes.count {
            if !isInString, bytes[index...].starts(with: wildcard) {
                literals.append([])
                index += wildcard.count
                continue
            }
            if bytes[index] == UInt8(ascii: "\""), !isEscaped { isInString.toggle() }
            isEscaped = isInString && bytes[index] == UInt8(ascii: "\\") && !isEscaped
            literals[literals.count - 1].append(bytes[index])
            index += 1
        }
        return literals
    }

    private static func endOfValue(in line: [UInt8], from start: Int) -> Int? {
        line.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes, at: start)
            return (try? scanner.scanValue()) == nil ? nil : scanner.offset
        }
    }
}
