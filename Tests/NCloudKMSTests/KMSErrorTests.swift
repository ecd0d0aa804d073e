import Testing

@testable import NCloudKMS

@Suite struct KMSErrorTests {
    /// The table of `protocol/`, Errors.
    static let contract: [(Int, String, Bool)] = [
        (-32_602, "InvalidParams", false), (-32_603, "InternalError", false),
        (1_000, "Cancelled", false), (1_001, "CredentialsUnavailable", false),
        (1_002, "AuthenticationFailed", false), (1_003, "PermissionDenied", false), (1_004, "KeyNotFound", false),
        (1_005, "KeyUnusable", false), (1_006, "RateLimited", true), (1_007, "QuotaExceeded", false),
        (1_008, "ServiceUnavailable", true), (1_009, "DeadlineExceeded", true),
        (1_010, "InvalidServiceResponse", false), (1_011, "UntrustedService", false), (1_012, "ShuttingDown", true),
        (1_013, "RequestRejected", false),
    ]

    @Test(arguments: contract)
    func `numbers, names and what may be retried are the contract`(number: Int, name: String, retryable: Bool) throws {
        let code = try #require(KMSError.Code(rawValue: number))
        #expect(code.typeName == name)
        #expect(code.isRetryable == retryable)
        #expect(KMSError.Code.allCases.count == Self.contract.count)
    }

    @Test func `what is wrong with the authorities has its own advice, and gets no other`() {
        let failure = TransportFailure(.untrusted(.noAuthorities("there are none")), message: "There are none.")
        #expect(KMSError(failure).message == "There are none.")
        #expect(KMSError(failure).code == .untrustedService)
    }

    static let errors: [KMSError] =
        KMSError.Code.allCases.map { KMSError.service($0, status: 418) }
        + KMSError.Activity.allCases.map { KMSError.deadlineExceeded(while: $0) }
        + [
            .credentialsUnavailable(looked: ["here", "there"]), .credentialsUnusable("x"), .signingFailed,
            .invalidKey(.privateKey),
            .answerTooLarge(maximumBytes: 65_536), .rateLimitedHere(retryAfter: .seconds(1)), .cancelled,
            .shuttingDown,
        ]

    @Test(arguments: errors)
    func `every message is a sentence`(error: KMSError) {
        #expect(error.message.first?.isUppercase == true)
        #expect(error.message.last == ".")
        #expect(!error.message.contains(".."))
        #expect(!error.message.contains("\n"))
    }

    @Test func `what was going on when the time ended is in the message and the reason`() {
        let error = KMSError.deadlineExceeded(while: .waitingForLimiter)
        #expect(error.code == .deadlineExceeded)
        #expect(error.message.contains("waiting for the rate limiter"))
        #expect(error.reason == "rate-limiter")
        #expect(Set(KMSError.Activity.allCases.map(\.word)).count == KMSError.Activity.allCases.count)
    }

    @Test func `a request names its key and its version`() throws {
        let tag = try KeyTag("a-1")
        let latest = PublicKeyRequest(keyTag: tag, version: nil)
        #expect(latest.target == "/kms/v1/keys/a-1/get-pub-key")
        #expect(String(decoding: latest.body, as: UTF8.self) == "{}")
        let pinned = PublicKeyRequest(keyTag: tag, version: try KeyVersion(7))
        #expect(String(decoding: pinned.body, as: UTF8.self) == #"{"keyVersion":7}"#)
    }

    static let transportFailures: [(TransportFailure.Kind, Bool)] = [
        (.connectionRefused, true), (.nameResolution(temporary: true), true),
        (.nameResolution(temporary: false), false),
        (.proxy(.refused(status: 407)), false), (.proxy(.refused(status: 502)), true), (.setup, false),
    ]

    @Test(arguments: transportFailures)
    func `what can't pass is not advised to be tried again`(kind: TransportFailure.Kind, canPass: Bool) {
        let error = KMSError(TransportFailure(kind, message: "It failed."))
        #expect(error.code == .serviceUnavailable)
        #expect(error.message.contains("Try again later") == canPass)
    }
}
