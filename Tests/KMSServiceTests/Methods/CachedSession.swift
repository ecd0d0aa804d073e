import Dispatch
import KMSJSON
import KMSEmulator
import Logging
import KMSPlatform
import KMSTestSupport

@testable import KMSJSONRPC
@testable import KMSService
@testable import NCloudKMS

/// `getPublicKey` on a connection of its own, with an emulator behind it, at a time that stands still.
final class CachedSession {
    /// Near enough to its end for a refresh, with the default time to live of 300 s.
    static let refreshAge = Duration.seconds(280)

    let clock = ManualClock()
    let emulator: Emulator
    private let loop: EventLoop
    /// Nil at the end.
    private var method: GetPublicKey?
    private let requests: Channel
    private let answers: Channel
    private var lastID = 0

    init() throws {
        emulator = try Emulator(Emulator.Configuration(usesTLS: false, clock: clock))
        let credentials = try Credentials(
            accessKeyID: Seed.AccessKey.demo.id, secretAccessKey: SecretBytes(Seed.AccessKey.demo.secret.utf8))
        loop = try EventLoop()
        let client = try KMSClient(
            KMSClientConfiguration(
                endpoint: Endpoint(emulator.endpoint), authentication: .credentials(credentials), ratePerKey: 0),
            on: loop, clock: clock, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let method = GetPublicKey(client: client)
        self.method = method
        requests = try Channel.pipeToProgram()
        answers = try Channel.pipeFromProgram()
        let connection = Connection(
            Connection.Configuration(
                input: requests.program, output: answers.program, framing: LineFraming(maximumMessageBytes: 1 << 20),
                maximumBatchCount: 1, maximumInFlight: 1_024, clock: clock),
            on: loop, methods: [method, GetStatus(zone: .global, version: "0", client: client)])
        let served = [requests.program, answers.program]
        try Thread.start(name: "test-session") {
            let _: ConnectionEnding = connection.run()
            for descriptor in served { close(descriptor) }
        }
    }

    deinit {
        // The last to hold the client is then the connection, whose thread is the loop's and still runs.
        method = nil
        close(requests.ours)
        close(answers.ours)
        emulator.stop()
    }

    /// The result, or error, of a call: the whole answer behind its id.
    func call(_ params: String, method: String = "getPublicKey") throws -> String {
        try outcome(of: exchange(request(params, method)))
    }

    /// The same as the one member of a batch, whose members are never answered at once.
    func callInBatch(_ params: String) throws -> String {
        try outcome(of: String(exchange("[\(request(params, "getPublicKey"))]").dropFirst().dropLast()))
    }

    /// What is answered without a call; nil if it takes one.
    func answerAtOnce(_ params: String) throws -> String? {
        let answer = Lock<Result<String?, any Error>>(.success(nil))
        let isAnswered = DispatchSemaphore(value: 0)
        loop.submit { [method, clock] in
            let outcome = Result {
                try Array(params.utf8).withUnsafeBufferPointer { bytes -> String? in
                    var scanner = JSONScanner(bytes)
                    var json: [UInt8] = []
                    let params = RawParameters(bytes: bytes, token: try scanner.scanText())
                    guard let result = method?.answerAtOnce(params, arrival: clock.now) else { return nil }
                    result.append(to: &json)
                    return String(decoding: json, as: UTF8.self)
                }
            }
            answer.withLock { $0 = outcome }
            isAnswered.signal()
        }
        isAnswered.wait()
        return try answer.withLock { $0 }.get()
    }

    /// Requests for the key that reached the service.
    func fetches(of keyTag: String) -> Int { emulator.state.perKey[keyTag] ?? 0 }

    private func request(_ params: String, _ method: String) -> String {
        lastID += 1
        return #"{"jsonrpc":"2.0","id":\#(lastID),"method":"\#(method)","params":\#(params)}"#
    }

    private func outcome(of answer: String) throws -> String {
        let head = #"{"jsonrpc":"2.0","id":\#(lastID),"#
        guard answer.hasPrefix(head), answer.hasSuffix("}") else { throw UnexpectedAnswer(text: answer) }
        return String(answer.dropFirst(head.count).dropLast())
    }

    private func exchange(_ line: String) throws -> String {
        let bytes = Array("\(line)\n".utf8)
        guard write(requests.ours, bytes, bytes.count) == bytes.count else { throw PlatformError("write") }
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while read(answers.ours, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: answer, as: UTF8.self) }
            answer.append(byte)
        }
        throw UnexpectedAnswer(text: String(decoding: answer, as: UTF8.self))
    }

    struct UnexpectedAnswer: Error {
        let text: String
    }
}
