import KMSJSON

/// Takes the data out of a body in chunks (RFC 9112, section 7.1) and counts all the rest.
///
/// libcurl finds the end of such a body by itself, but throws away chunk extensions without counting them and keeps every
/// trailer. So it is told to hand over the bytes as they came (`CURLOPT_HTTP_TRANSFER_DECODING`).
struct ChunkedBody {
    enum Failure: Error {
        case malformed
        /// A chunk alone is larger than any body that we accept.
        case chunkTooLarge
        /// A line of the trailer is longer than libcurl reads.
        case trailerTooLong
    }

    private static let longestTrailerLine = 4_000

    private enum Position {
        /// - Parameter digits: how many of them came.
        case size(digits: Int)
        /// Until the end of the line; after the size `0` the trailer follows.
        case sizeLine
        case data
        case dataEnd
        /// - Parameter length: bytes on this line so far, but for a CR at its beginning.
        case trailerLine(length: Int)
        case end
    }

    private var position = Position.size(digits: 0)
    /// Bytes of the chunk that are to come.
    private var remaining: UInt64 = 0

    /// Sizes, extensions, line ends and trailers so far, in bytes.
    private(set) var framingBytes = 0
    /// Bytes came after the end of the body.
    private(set) var hasSurplus = false

    /// The last chunk came, and its trailers.
    var isComplete: Bool { if case .end = position { true } else { false } }

    /// - Parameter takeData: is handed each piece of data; whether it wants more.
    /// - Returns: false if `takeData` said so.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ takeData: (UnsafeRawBufferPointer) -> Bool
    ) throws(Failure) -> Bool {
        var index = 0
        while index < bytes.count {
            if case .data = position {
                let count = Int(min(remaining, UInt64(bytes.count - index)))
                guard takeData(UnsafeRawBufferPointer(rebasing: bytes[index..<(index + count)])) else { return false }
                remaining -= UInt64(count)
                index += count
                if remaining == 0 { position = .dataEnd }
                continue
            }
            if case .end = position {
                hasSurplus = true
                return true
            }
            try takeFraming(bytes[index])
            framingBytes += 1
            index += 1
        }
        return true
    }

    private mutating func takeFraming(_ byte: UInt8) throws(Failure) {
        switch position {
        case .size(let digits):
            if let digit = byte.hexDigitValue {
                // libcurl takes no more, and its error for more is that of a lost connection.
                guard digits < 16, remaining <= UInt64(Int64.max) >> 4 else { throw .malformed }
                remaining = remaining << 4 | UInt64(digit)
                position = .size(digits: digits + 1)
            } else {
                guard digits > 0 else { throw .malformed }
                position = .sizeLine
                try takeFraming(byte)
            }
        case .sizeLine:
            guard byte == UInt8(ascii: "\n") else { return }
            guard remaining <= UInt64(HTTPResponse.largestBodyBytes) else { throw .chunkTooLarge }
            position = remaining > 0 ? .data : .trailerLine(length: 0)
        case .dataEnd:
            switch byte {
            case UInt8(ascii: "\r"): break
            case UInt8(ascii: "\n"): position = .size(digits: 0)
            default: throw .malformed
            }
        case .trailerLine(let length):
            if byte == UInt8(ascii: "\n") {
                position = length == 0 ? .end : .trailerLine(length: 0)
            } else if length > 0 || byte != UInt8(ascii: "\r") {
                guard length < Self.longestTrailerLine else { throw .trailerTooLong }
                position = .trailerLine(length: length + 1)
            }
        case .data, .end: break
        }
    }
}
