import KMSJSON

/// Decodes a chunked body (RFC 9112, section 7.1) and counts everything that is not data.
///
/// libcurl finds the end of such a body by itself, but discards chunk extensions without counting them, and keeps every
/// trailer. So it is told to deliver the bytes as received (`CURLOPT_HTTP_TRANSFER_DECODING`).
struct ChunkedBody {
    enum Failure: Error {
        case malformed
        /// A single chunk is larger than the largest accepted body.
        case chunkTooLarge
        /// A line of the trailer is longer than libcurl can read.
        case trailerTooLong
    }

    private static let longestTrailerLine = 4_000

    private enum Position {
        /// - Parameter digits: how many digits have been read.
        case size(digits: Int)
        /// The rest of the line; after the size `0` the trailer follows.
        case sizeLine
        case data
        case dataEnd
        /// - Parameter length: the bytes of this line so far, without a CR at its start.
        case trailerLine(length: Int)
        case end
    }

    private var position = Position.size(digits: 0)
    /// The bytes of the chunk that have not been read.
    private var remaining: UInt64 = 0

    /// The size of chunk sizes, extensions, line ends and trailers so far, in bytes.
    private(set) var framingBytes = 0
    /// Whether bytes followed the end of the body.
    private(set) var hasSurplus = false

    /// Whether the last chunk and its trailers have been read.
    var isComplete: Bool { if case .end = position { true } else { false } }

    /// - Parameter takeData: receives each piece of data; returns whether it wants more.
    /// - Returns: false if `takeData` returned false.
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
                // libcurl accepts no more digits, and reports them like a lost connection.
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
