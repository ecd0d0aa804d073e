import KMSJSON
import KMSEmulator
import KMSTestSupport
import Testing

/// The answer to a call of `getPublicKey`, as far as the tables of faults speak of it.
struct FaultAnswer: Sendable {
    /// Nil for a key.
    let code: Int?
    let message: String
    let attempts: Int?
    let httpStatus: Int?
    let kmsCode: String?
    let kmsMessage: String?
    let requestID: String?
    let reason: String?
    let isRetryable: Bool?
    let retryAfterMilliseconds: Int?
    /// Nil for an error.
    let source: String?
    let ageMilliseconds: Int?
    let publicKey: String?

    /// What `protocol/` says of each error, save its cause.
    private static let types: [Int: (name: String, isRetryable: Bool)] = [
        -32800: ("RequestCancelled", false), 1001: ("CredentialsUnavailable", false),
        1002: ("AuthenticationFailed", false), 1003: ("PermissionDenied", false), 1004: ("KeyNotFound", false),
        1005: ("KeyUnusable", false), 1006: ("RateLimited", true), 1007: ("QuotaExceeded", false),
        1008: ("ServiceUnavailable", true), 1009: ("DeadlineExceeded", true), 1010: ("InvalidServiceResponse", false),
        1011: ("UntrustedService", false), 1012: ("ShuttingDown", true), 1013: ("RequestRejected", false),
    ]

    /// Takes an answer apart, and expects of it what holds for every answer.
    init(_ line: String) throws {
        let value = try JSONValue(parsing: line)
        let error = value["error"]
        let data = error?["data"]
        let result = value["result"]
        code = error?["code"]?.integer
        message = error?["message"]?.string ?? ""
        attempts = (data ?? result)?["attempts"]?.integer
        httpStatus = data?["httpStatus"]?.integer
        kmsCode = data?["kmsCode"]?.string
        kmsMessage = data?["kmsMessage"]?.string
        requestID = (data ?? result)?["requestId"]?.string
        reason = data?["reason"]?.string
        isRetryable = data?["retryable"]?.bool
        retryAfterMilliseconds = data?["retryAfterMs"]?.integer
        source = result?["source"]?.string
        ageMilliseconds = result?["ageMs"]?.integer
        publicKey = result?["publicKey"]?.string
        guard let code else {
            #expect(source != nil && attempts != nil && ageMilliseconds != nil && publicKey != nil, "\(line)")
            return
        }
        let type = try #require(Self.types[code], "\(line)")
        #expect(data?["type"]?.string == type.name)
        // An unavailable service is not worth another call where somebody has to change something first.
        #expect(isRetryable == type.isRetryable || code == 1008 && isRetryable == false)
        #expect(retryAfterMilliseconds == nil || type.isRetryable)
        // A cancelled call is answered before the client knows of it.
        #expect(data?["keyTag"]?.string != nil || code == -32800)
        #expect(!message.isEmpty && !message.contains("\n"))
    }
}

extension ServiceProcess {
    /// Begins a call of `getPublicKey`.
    func beginGetPublicKey(_ id: Int = 1, _ params: String) throws {
        try send(Lines.request(id, "getPublicKey", params))
    }

    /// Calls `getPublicKey` and waits for the answer.
    func getPublicKey(_ params: String = #"{"keyTag":"demo-rsa","maxAgeMs":0}"#) async throws -> FaultAnswer {
        try beginGetPublicKey(1, params)
        return try await nextFaultAnswer()
    }

    func nextFaultAnswer() async throws -> FaultAnswer {
        guard let line = await nextLine() else { throw WireAnswer.Malformed(text: "the output is at its end") }
        return try FaultAnswer(line)
    }

    /// So many answers, in the order in which they come.
    func nextFaultAnswers(_ count: Int) async throws -> [FaultAnswer] {
        var answers: [FaultAnswer] = []
        for _ in 0..<count { answers.append(try await nextFaultAnswer()) }
        return answers
    }

    /// The result of `getStatus`.
    func status() async throws -> JSONText {
        try #require(try await ask(Lines.request(9, "getStatus")).result)
    }

    /// Runs the program with the demonstration's credentials and another endpoint than the emulator's.
    static func run<Result: Sendable>(
        endpoint: String, arguments: [String] = [], more environment: [String: String] = [:],
        body: (ServiceProcess) async throws -> Result
    ) async throws -> Outcome<Result> {
        let own = EmulatedKMS.credentials.merging(["NCLOUD_KMS_ENDPOINT": endpoint]) { _, new in new }
        let outcome = try await run(
            arguments: arguments, environment: own.merging(environment) { _, new in new }, body: body)
        #expect(outcome.status == 0, "\(outcome.log)")
        return outcome
    }
}

extension EmulatedKMS {
    /// Runs the program against this emulator.
    func run<Result: Sendable>(
        _ arguments: [String] = [], more environment: [String: String] = [:],
        body: (ServiceProcess) async throws -> Result
    ) async throws -> ServiceProcess.Outcome<Result> {
        let outcome = try await ServiceProcess.run(
            arguments: arguments, environment: self.environment.merging(environment) { _, new in new }, body: body)
        #expect(outcome.status == 0, "\(outcome.log)")
        return outcome
    }
}

/// The body of a good answer.
let keyBody = #"{"code":"SUCCESS","data":{"publicKey":\#(quoted(demoKey))}}"#

/// A key that the checks accept.
let demoKey = Seed.demo.keys[1].versions[0].publicKey ?? ""

/// A text as a JSON string.
func quoted(_ text: String) -> String {
    var json = JSONWriter()
    json.value(text)
    return String(decoding: json.bytes, as: UTF8.self)
}
