import KMSJSON
import KMSEmulator
import KMSTestSupport
import Testing

/// Answers that bring no key. The rows are those of the table in `protocol/`, Errors.
@Suite(.timeLimit(.minutes(5))) struct FaultAnswerTests {
    /// What the emulator does to every request, and what the client sees of it.
    struct Row: Sendable, CustomTestStringConvertible {
        var fault: String
        var code: Int
        var attempts: Int
        var httpStatus: Int
        var kmsCode: String?

        var testDescription: String { fault }

        init(_ fault: String, _ code: Int, _ attempts: Int, _ httpStatus: Int, _ kmsCode: String? = nil) {
            (self.fault, self.code, self.attempts) = (fault, code, attempts)
            (self.httpStatus, self.kmsCode) = (httpStatus, kmsCode)
        }
    }

    private static let gateway = [
        Row("status=400,code=100", 1013, 1, 400, "100"), Row("status=401,code=200", 1002, 1, 401, "200"),
        Row("status=401,code=210", 1003, 1, 401, "210"), Row("status=403,code=230", 1003, 1, 403, "230"),
        Row("status=404,code=300", 1004, 1, 404, "300"), Row("status=429,code=400", 1007, 1, 429, "400"),
        Row("status=413,code=430", 1013, 1, 413, "430"), Row("status=503,code=500", 1008, 3, 503, "500"),
        Row("status=504,code=510", 1008, 3, 504, "510"), Row("status=500,code=900", 1008, 3, 500, "900"),
        // As a number.
        Row("status=401,code=210,number", 1003, 1, 401, "210"),
        Row("status=503,code=500,number", 1008, 3, 503, "500"),
        // The body's code counts, whatever the status.
        Row("status=500,code=210", 1003, 1, 500, "210"), Row("status=200,code=900", 1008, 3, 200, "900"),
    ]

    private static let service = [
        Row("code=FORBIDDEN,status=403", 1003, 1, 403, "FORBIDDEN"),
        Row("code=UNAUTHORIZED,status=401", 1002, 1, 401, "UNAUTHORIZED"),
        Row("code=UNPROCESSABLE_ENTITY,status=422", 1005, 1, 422, "UNPROCESSABLE_ENTITY"),
        Row("code=INVALID_REQUEST,status=400", 1005, 1, 400, "INVALID_REQUEST"),
        Row("code=INTERNAL_SERVER_ERROR,status=500", 1008, 3, 500, "INTERNAL_SERVER_ERROR"),
        // 200 with a code other than SUCCESS.
        Row("code=FORBIDDEN,status=200", 1003, 1, 200, "FORBIDDEN"),
        Row("code=INTERNAL_SERVER_ERROR,status=200", 1008, 3, 200, "INTERNAL_SERVER_ERROR"),
        Row("code=SOMETHING_NEW,status=200", 1010, 1, 200, "SOMETHING_NEW"),
        Row("code=SOMETHING_NEW,status=409", 1013, 1, 409, "SOMETHING_NEW"),
    ]

    private static let others = [
        // The status alone.
        Row("empty,status=401", 1002, 1, 401), Row("empty,status=403", 1003, 1, 403),
        Row("empty,status=404", 1004, 1, 404), Row("empty,status=408", 1008, 3, 408),
        Row("empty,status=418", 1013, 1, 418), Row("empty,status=500", 1008, 3, 500),
        Row("empty,status=501", 1008, 1, 501), Row("empty,status=502", 1008, 3, 502),
        Row("empty,status=505", 1008, 1, 505), Row("empty,status=204", 1010, 1, 204),
        Row("empty,status=206", 1010, 1, 206), Row("empty,status=301", 1010, 1, 301),
        Row("empty,status=302", 1010, 1, 302), Row("empty,status=304", 1010, 1, 304),
        // Bodies that are no JSON.
        Row("html", 1008, 3, 502), Row("html,status=404", 1004, 1, 404), Row("html,status=200", 1010, 2, 200),
        Row("text", 1008, 3, 503),
        Row("text,status=200", 1010, 2, 200), Row("empty", 1010, 2, 200),
    ]

    @Test(arguments: gateway + service + others)
    func `an answer without a key is its error, after as many attempts as may help`(row: Row) async throws {
        try await EmulatedKMS.with(faults: [row.fault]) { kms in
            let outcome = try await kms.run { process in
                let answer = try await process.getPublicKey()
                let status = try await process.status()
                #expect(status["upstream"]?["attempts"]?.integer == row.attempts)
                #expect(status["upstream"]?["failures"]?.integer == row.attempts)
                #expect(status["upstream"]?["retries"]?.integer == row.attempts - 1)
                #expect(status["requests"]?["failed"]?["byCode"]?["\(row.code)"]?.integer == 1)
                return answer
            }
            let answer = outcome.result
            #expect(answer.code == row.code, "\(answer.message)")
            #expect(answer.attempts == row.attempts)
            #expect(answer.httpStatus == row.httpStatus)
            #expect(answer.kmsCode == row.kmsCode)
            #expect(answer.requestID != nil)
            #expect(kms.emulator.state.total == row.attempts)
        }
    }

    @Test(arguments: ["code=410", "code=420", "text", "empty", "html"])
    func `throttling that outlasts the call is 1006 with the time to wait`(answer: String) async throws {
        try await EmulatedKMS.with(faults: ["status=429,\(answer),retry-after=5"]) { kms in
            _ = try await kms.run { process in
                let answer = try await process.getPublicKey(#"{"keyTag":"demo-rsa","timeoutMs":3000}"#)
                #expect(answer.code == 1006)
                #expect(answer.reason == "deadline")
                #expect(answer.retryAfterMilliseconds == 5_000)
                #expect(answer.attempts == 1)
                #expect(try await process.status()["upstream"]?["throttled"]?.integer == 1)
            }
            #expect(kms.emulator.state.total == 1)
        }
    }

    @Test func `failures that end in time are not seen, save in the attempts`() async throws {
        // The reset comes first: one on a connection that was used before is libcurl's to repeat, and no attempt of ours.
        try await EmulatedKMS.with(faults: ["reset,count=1", "status=503,count=1"]) { kms in
            _ = try await kms.run { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 3)
                #expect(answer.source == "kms")
            }
            #expect(kms.emulator.state.total == 3)
        }
    }

    @Test func `the service's own words reach the caller, capped`() async throws {
        let words = String(repeating: "é", count: 2_000)
        try await EmulatedKMS.with(faults: ["status=400,code=100,message=\(words)"]) { kms in
            _ = try await kms.run { process in
                let answer = try await process.getPublicKey()
                #expect(answer.kmsMessage == String(repeating: "é", count: 512))
            }
        }
    }

    // MARK: Retry-After

    struct Hint: Sendable, CustomTestStringConvertible {
        var value: String
        var milliseconds: Int?

        var testDescription: String { value }

        init(_ value: String, _ milliseconds: Int?) { (self.value, self.milliseconds) = (value, milliseconds) }
    }

    @Test(arguments: [
        Hint("-5", nil), Hint("1.5", nil), Hint("99999999999", nil), Hint("99999999999999999999999", nil),
        Hint("86401", nil), Hint("rubbish", nil), Hint("Wed, 21 Oct 2015 07:28:00 GMT", nil), Hint("0", 0),
        Hint("7", 7_000), Hint("86400", 86_400_000), Hint("Wed, 21 Oct 2099 07:28:00 GMT", nil),
        // A minute after the server's own Date, which is years away from ours.
        Hint("Wed, 21 Oct 2015 07:29:00 GMT", 60_000),
    ])
    func `Retry-After is told if it makes sense`(hint: Hint) async throws {
        var raw = Answer(status: 503, contentType: nil, body: [])
        raw.headers = [.init("Retry-After", hint.value), .init("Date", "Wed, 21 Oct 2015 07:28:00 GMT")]
        // A past date is past for that clock as well.
        if hint.value.contains("07:28") && hint.milliseconds == nil { raw.headers.removeLast() }
        let seed = Seed(keys: [Seed.Key(keyTag: "k", keyType: .rsa2048, rawAnswer: raw)])
        try await EmulatedKMS.with(seed: seed) { kms in
            _ = try await kms.run(["--max-attempts", "1"]) { process in
                let answer = try await process.getPublicKey(#"{"keyTag":"k"}"#)
                #expect(answer.code == 1008)
                #expect(answer.attempts == 1)
                #expect(answer.retryAfterMilliseconds == hint.milliseconds)
            }
        }
    }
}
