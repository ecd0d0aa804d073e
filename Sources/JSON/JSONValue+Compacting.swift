extension JSONValue {
    /// The value's text without the white space between its tokens, and otherwise as it was written: on one line,
    /// since a string can't hold a line feed that is not escaped (RFC 8259, section 7).
    package var compacted: [UInt8] {
        var compacted: [UInt8] = []
        compacted.reserveCapacity(bytes.count)
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isInString {
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            } else {
                switch byte {
                case 0x20, 0x09, 0x0A, 0x0D: continue
                case UInt8(ascii: "\""): isInString = true
                default: break
                }
            }
            compacted.append(byte)
        }
        return compacted
    }
}
