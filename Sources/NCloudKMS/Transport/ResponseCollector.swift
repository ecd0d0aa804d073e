import Platform

/// Puts one answer together from what libcurl's callbacks hand over.
///
/// Informational answers (1xx) may come before the final one: every status line begins anew, so that the last counts.
/// Lines after the final header are a chunked body's trailers, and ignored.
final class ResponseCollector {
    /// Largest header that is accepted, all informational answers included: a real one has 1 KiB.
    static let largestHeaderBytes = 64 << 10

    /// Longest value of a header field that is kept; the texts of the service are capped at as much (spec page 02).
    static let longestValueBytes = 1_024

    private enum Position {
        case statusLine
        case header
        case afterHeader
    }

    private let clock: any TimeSource
    private var position = Position.statusLine
    private var headerBytes = 0
    private var requestIDRank = ResponseCollector.requestIDFields.count

    /// 0 before a status line came.
    private(set) var status = 0
    private(set) var headers = HTTPResponse.Headers()
    private(set) var body: [UInt8] = []
    /// When the request was last about to be written; nil before. libcurl repeats it by itself on a new connection if
    /// the one that it used again turns out to be dead.
    private(set) var sent: Instant?
    /// When the last status line came; nil before.
    private(set) var received: HTTPResponse.Moment?
    /// The answer was refused because it is too large.
    private(set) var isTooLarge = false
    /// The empty line behind the final header came.
    var headerIsComplete: Bool { position == .afterHeader }
    /// The answer was ended at its header, because what follows a 101 is not HTTP.
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
        switchedProtocols = false
    }

    func requestIsAboutToBeSent() {
        sent = clock.now
    }

    /// Takes a line of a header with its line end.
    ///
    /// - Returns: whether the transfer should go on.
    func takeHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool {
        guard position != .afterHeader else { return true }
        headerBytes += line.count
        guard headerBytes <= Self.largestHeaderBytes else {
            isTooLarge = true
            return false
        }
        if position == .statusLine, line.starts(with: "HTTP/".utf8) {
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

    /// - Returns: whether the transfer should go on.
    func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
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
    }

    /// The three digits after the first space; 0 if they are not there.
    private static func status(in line: UnsafeRawBufferPointer) -> Int {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")) else { return 0 }
        let digits = line[(space + 1)...].prefix(3)
        return Int(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    /// In the order of preference (spec page 01).
    private static let requestIDFields = ["x-ncp-apigw-request-id", "x-ncp-trace-id", "x-ncp-request-id"]

    /// Keeps the first value of each field that somebody asks for.
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

    /// - Parameter lowercased: letters in lower case, digits and hyphens.
    private static func matches(_ name: Slice<UnsafeRawBufferPointer>, _ lowercased: String) -> Bool {
        // Among these characters 0x20 tells upper from lower case and changes no digit or hyphen.
        name.elementsEqual(lowercased.utf8) { $0 | 0x20 == $1 }
    }

    /// The value without the white space around it; nil if it is too long to be true.
    private static func value(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        var bytes = bytes
        while let first = bytes.first, first <= UInt8(ascii: " ") { bytes.removeFirst() }
        while let last = bytes.last, last <= UInt8(ascii: " ") { bytes.removeLast() }
        return bytes.count <= longestValueBytes ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
