import KMSPlatform
import KMSTestSupport

@testable import KMSEmulator

/// A signed request for a public key, as text.
struct SignedRequest {
    var keyTag = "demo-rsa"
    var method = "POST"
    var body = "{}"
    /// Milliseconds since 1970; nil: now.
    var timestamp: Int64?
    var accessKey = Seed.AccessKey.demo
    var extraHeaders: [String] = []

    var target: String { "/kms/v1/keys/\(keyTag)/get-pub-key" }

    var headers: [String] {
        let timestamp = String(timestamp ?? SystemClock().wallClockMilliseconds)
        let signature = RequestSignature.compute(
            method: method, target: target, timestamp: timestamp, accessKey: accessKey.id, secret: accessKey.secret)
        return [
            "x-ncp-apigw-timestamp: \(timestamp)", "x-ncp-iam-access-key: \(accessKey.id)",
            "x-ncp-apigw-signature-v2: \(signature)",
        ] + extraHeaders
    }

    /// The whole message, for `RawClient`.
    var message: String {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: localhost", "Content-Length: \(body.utf8.count)"] + headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }
}

/// An answer.
struct Response: Equatable {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""

    /// - Parameter head: status line and header lines.
    init(head: String, body: String) {
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
        status = lines.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        self.body = body
    }
}

/// The `curl` command.
enum Curl {
    /// curl's exit status, and the last answer.
    static func send(
        _ request: SignedRequest, to emulator: Emulator, _ arguments: [String] = []
    ) async throws -> (status: Int, response: Response) {
        try await send(
            ["-X", request.method] + request.headers.flatMap { ["-H", $0] } + ["--data-binary", request.body]
                + arguments + [emulator.endpoint + request.target], trusting: emulator.certificateFile)
    }

    static func send(
        _ arguments: [String], trusting certificateFile: String?
    ) async throws -> (status: Int, response: Response) {
        let trust = certificateFile.map { ["--cacert", $0] } ?? []
        let common = ["-sS", "-i", "--noproxy", "*", "--max-time", "30"]
        let result = try await Program.run("/usr/bin/curl", common + trust + arguments)
        guard let end = result.output.firstRange(of: "\r\n\r\n") else {
            return (result.status, Response(head: "", body: result.output))
        }
        return (
            result.status,
            Response(
                head: String(result.output[..<end.lowerBound]), body: String(result.output[end.upperBound...]))
        )
    }
}

/// A TCP connection to an emulator that speaks plain HTTP, for what `curl` would not send.
final class RawClient {
    private let socket: Int32
    private var pending: [UInt8] = []
    private var isClosed = false

    /// Why reading ended.
    enum End: Equatable {
        case closed
        case failed(Int32)
    }

    init(_ emulator: Emulator) throws {
        socket = try PrivateDescriptors.connect(to: emulator.port)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        _ = KMSPlatform.close(socket)
    }

    func send(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { KMSPlatform.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Ends the sending direction of the connection.
    func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Everything up to the end of the connection, and how it ended.
    func readToEnd() -> (text: String, end: End) {
        while true {
            if let end = readMore() {
                defer { pending = [] }
                return (String(decoding: pending, as: UTF8.self), end)
            }
        }
    }

    /// One answer with a `Content-Length`; nil if the connection ends before it is complete.
    func readResponse() -> Response? {
        while true {
            let text = String(decoding: pending, as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let head = String(text[..<end.lowerBound])
                let rest = Array(text[end.upperBound...].utf8)
                let length = Int(Response(head: head, body: "").headers["content-length"] ?? "") ?? 0
                if rest.count >= length {
                    pending = Array(rest[length...])
                    return Response(head: head, body: String(decoding: rest[..<length], as: UTF8.self))
                }
            }
            if readMore() != nil { return nil }
        }
    }

    private func readMore() -> End? {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count == 0 { return .closed }
        if count < 0 { return .failed(errno) }
        pending += buffer[..<count]
        return nil
    }
}
