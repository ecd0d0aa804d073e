import KMSPlatform

/// Assembles one answer from libcurl's callbacks.
///
/// Informational answers (1xx) may precede the final one: every status line starts over, so the last answer counts. A
/// chunked body's trailers are ignored.
final class ResponseCollector {
    /// The maximum size of everything but the body: the header, including all informational answers, and the sizes,
    /// extensions and trailers of a chunked body. A real answer has 1 KiB of it.
    static let largestHeaderBytes = 64 << 10

    /// The maximum length of a header value that is kept; the service's texts are cut at the same length.
    static let longestValueBytes = 1_024

    /// Answers with these statuses have no body, whatever the header says (RFC 9112, section 6.3).
    private static let statusesWithoutBody = [204, 304]

    private enum Position {
        case statusLine
        case header
        case afterHeader
    }

    private let clock: any TimeSource
    private var position = Position.statusLine
    private var headerBytes = 0
    private var requestIDRank = ResponseCollector.requestIDFields.count
    /// Nil if the body is not chunked.
    private var chunks: ChunkedBody?

    /// The socket of the kept connection that the request was written to; nil if the connection is new.
    var keptSocket: CInt?
    /// 0 before the first status line.
    private(set) var status = 0
    private(set) var headers = HTTPResponse.Headers()
    private(set) var body: [UInt8] = []
    /// When the request was last about to be written; nil before. libcurl repeats it by itself on a new connection if
    /// the reused one turns out to be dead.
    private(set) var sent: Instant?
    /// When the last status line arrived; nil before.
    private(set) var received: HTTPResponse.Moment?
    /// Whether the answer was refused because it is too large.
    private(set) var isTooLarge = false
    /// Whether the answer was refused because its body is not correctly chunked.
    private(set) var isMalformed = false
    /// Whether the answer was sent before the peer had the request, so that it belongs to another request.
    private(set) var isForeign = false
    /// Whether the empty line after the final header has arrived.
    var headerIsComplete: Bool { position == .afterHeader }
    /// False if the last chunk of a chunked body is missing.
    var bodyIsComplete: Bool { chunks?.isComplete ?? true || Self.statusesWithoutBody.contains(status) }
    /// Whether the peer sent more than one answer.
    var hasSurplus: Bool { chunks?.hasSurplus ?? false }
    /// Whether the answer was ended at its header, because what follows a 101 is not HTTP.
    private(set) var switchedProtocols = false

    init(clock: any TimeSource) {
        self.clock = clock
    }

    func reset() {
        position = .statusLine
        headerBytes = 0
        startHeader()
        status = 0
        body = []
        sent = nil
        received = nil
        isTooLarge = false
        isMalformed = false
        isForeign = false
        switchedProtocols = false
        keptSocket = nil
    }

    /// libcurl opens a connection: if the request was written before, that connection was dead.
    func connectionIsNew() {
        sent = nil
        keptSocket = nil
    }

    /// - Returns: the current time.
    func requestIsAboutToBeSent() -> Instant {
        let now = clock.now
        sent = now
        return now
    }

    /// Receives a header line with its line end.
    ///
    /// - Returns: whether the transfer should continue.
    func takeHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool {
        headerBytes += line.count
        guard headerBytes <= Self.largestHeaderBytes else {
            isTooLarge = true
            return false
        }
        guard position != .afterHeader else { return true }
        if position == .statusLine, line.starts(with: "HTTP/".utf8) {
            // A peer that answers a request has received it, and acknowledges it in the segment that begins the answer
            // (RFC 9293, section 3.4). So an answer without the acknowledgement was sent before.
            if received == nil, let keptSocket, ConnectionTable.hasUnacknowledgedOutput(keptSocket) {
                isForeign = true
                return false
            }
            startHeader()
            status = Self.status(in: line)
            received = HTTPResponse.Moment(of: clock)
            position = .header
        } else if line.allSatisfy({ $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) {
            switchedProtocols = status == 101
            position = status >= 200 ? .afterHeader : .statusLine
            return !switchedProtocols
        } else if position == .header {
            takeField(line)
        }
        return true
    }

    /// Receives a part of the body as sent, including its chunk framing if it is chunked.
    ///
    /// - Returns: whether the transfer should continue.
    func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard var chunks else { return takeData(bytes) }
        // Avoids a copy at the first change.
        self.chunks = nil
        defer { self.chunks = chunks }
        let framingBefore = chunks.framingBytes
        do {
            guard try chunks.take(bytes, takeData) else { return false }
        } catch {
            switch error {
            case .malformed: isMalformed = true
            case .chunkTooLarge, .trailerTooLong: isTooLarge = true
            }
            return false
        }
        headerBytes += chunks.framingBytes - framingBefore
        isTooLarge = headerBytes > Self.largestHeaderBytes
        return !isTooLarge
    }

    private func takeData(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard body.count + bytes.count <= HTTPResponse.largestBodyBytes else {
            isTooLarge = true
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    private func startHeader() {
        headers = HTTPResponse.Headers()
        requestIDRank = Self.requestIDFields.count
        chunks = nil
    }

    /// The three digits after the first space; 0 if they are missing.
    private static func status(in line: UnsafeRawBufferPointer) -> Int {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")) else { return 0 }
        let digits = line[(space + 1)...].prefix(3)
        return Int(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    /// In the order of preference.
    private static let requestIDFields = ["x-ncp-apigw-request-id", "x-ncp-trace-id", "x-ncp-request-id"]

    /// Keeps the first value of each field that is used.
    private func takeField(_ line: UnsafeRawBufferPointer) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        let name = line[..<colon]
        switch name.count {
        case 3 where Self.matches(name, "age"):
            headers.age = headers.age ?? Self.value(line[(colon + 1)...])
        case 4 where Self.matches(name, "date"):
            headers.date = headers.date ?? Self.value(line[(colon + 1)...])
        case 11 where Self.matches(name, "retry-after"):
            headers.retryAfter = headers.retryAfter ?? Self.value(line[(colon + 1)...])
        case 17 where Self.matches(name, "transfer-encoding"):
            // libcurl, too, looks for it among other encodings, none of which it was asked to decode.
            if Self.lists("chunked", in: line[(colon + 1)...]) { chunks = ChunkedBody() }
        case 14...22:
            guard let rank = Self.requestIDFields.firstIndex(where: { Self.matches(name, $0) }),
                rank < requestIDRank, let value = Self.value(line[(colon + 1)...]), !value.isEmpty
            else { return }
            headers.requestID = value
            requestIDRank = rank
        default:
            return
        }
    }

    /// - Parameter lowercased: lower-case letters, digits and hyphens.
    private static func matches(_ name: Slice<UnsafeRawBufferPointer>, _ lowercased: String) -> Bool {
        // For these characters, 0x20 is the difference between upper and lower case, and is already set in digits and
        // hyphens.
        name.elementsEqual(lowercased.utf8) { $0 | 0x20 == $1 }
    }

    /// Whether a comma-separated list of words contains this one.
    ///
    /// - Parameter lowercased: as for `matches`.
    private static func lists(_ lowercased: String, in value: Slice<UnsafeRawBufferPointer>) -> Bool {
        value.split(separator: UInt8(ascii: ",")).contains { part in
            matches(part.trimmingWhiteSpace(), lowercased)
        }
    }

    /// The value without the white space around it; nil if it is implausibly long.
    private static func value(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        let bytes = bytes.trimmingWhiteSpace()
        return bytes.count <= longestValueBytes ? String(decoding: bytes, as: UTF8.self) : nil
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// Without the white space and control characters around it.
    fileprivate func trimmingWhiteSpace() -> Self {
        var bytes = self
        while let first = bytes.first, first <= UInt8(ascii: " ") { bytes.removeFirst() }
        while let last = bytes.last, last <= UInt8(ascii: " ") { bytes.removeLast() }
        return bytes
    }
}
