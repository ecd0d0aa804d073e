import Testing

@testable import NCloudKMS

@Suite struct ServiceAnswerTests {
    private let nobody = SentCredentials(nil, signature: nil)

    private func sent(_ credentials: Credentials) -> SentCredentials { SentCredentials(credentials, signature: nil) }

    private func failure(_ status: Int, _ body: String) throws -> ServiceFailure {
        let answer = ServiceAnswer(status: status, body: Array(body.utf8), to: nobody)
        guard case .failure(let failure) = answer else { throw Unexpected(answer: answer) }
        return failure
    }

    struct Unexpected: Error { let answer: ServiceAnswer }

    @Test(arguments: [
        #"{"code":"SUCCESS","data":{"publicKey":"-----BEGIN\r\nä"}}"#,
        #"{"code":"SUCCESS","msg":"ok","data":{"publicKey":"-----BEGIN\r\nä","x":1},"y":[]}"#,
        "\u{FEFF}" + #"{"code":"SUCCESS","data":{"publicKey":"-----BEGIN\r\n\u00e4"}}"#,
    ])
    func `a success brings the PEM as it was sent`(body: String) {
        guard case .publicKey(let pem) = ServiceAnswer(status: 200, body: Array(body.utf8), to: nobody) else {
            return #expect(Bool(false), "no key")
        }
        #expect(pem.string == "-----BEGIN\r\nä")
    }

    /// Each row of the gateway's published table, with the code as text and as a number.
    static let gatewayRows: [(Int, String, KMSError.Code, Repetition)] = [
        (400, "100", KMSError.Code.requestRejected, Repetition.never),
        (401, "200", .authenticationFailed, .afterReauthentication),
        (401, "210", .permissionDenied, .never), (403, "230", .permissionDenied, .never),
        (404, "300", .keyNotFound, .never), (429, "400", .quotaExceeded, .never),
        (429, "410", .rateLimited, .afterThrottling), (429, "420", .rateLimited, .afterThrottling),
        (413, "430", .requestRejected, .never), (503, "500", .serviceUnavailable, .afterBackoff),
        (504, "510", .serviceUnavailable, .afterBackoff), (500, "900", .serviceUnavailable, .afterBackoff),
    ]

    @Test(arguments: gatewayRows)
    func `the gateway's codes mean what the table says`(
        status: Int, code: String, expected: KMSError.Code, repetition: Repetition
    ) throws {
        for written in ["\"\(code)\"", code, "\(code).0"] {
            let body = #"{"error":{"errorCode":\#(written),"message":"Some Words","details":"d"}}"#
            // At its own status, and at one that says nothing.
            for status in [status, 200, 418] {
                let failure = try failure(status, body)
                #expect(failure.code == expected)
                #expect(failure.repetition == repetition)
                #expect(failure.kmsCode == code)
                #expect(failure.kmsMessage == "Some Words; d")
                #expect(failure.error.httpStatus == status)
            }
            let flat = try self.failure(status, #"{"code":\#(written),"message":"Some Words"}"#)
            #expect(flat.code == expected)
            #expect(flat.repetition == repetition)
            let old = try self.failure(
                status, #"{"responseError":{"returnCode":\#(written),"returnMessage":"Some Words"}}"#)
            #expect(old.code == expected)
            #expect(old.repetition == repetition)
            #expect(old.kmsCode == code)
            #expect(old.kmsMessage == "Some Words")
        }
    }

    static let kmsRows: [(String, KMSError.Code, Repetition)] = [
        ("FORBIDDEN", KMSError.Code.permissionDenied, Repetition.never),
        ("UNAUTHORIZED", .authenticationFailed, .afterReauthentication),
        ("UNPROCESSABLE_ENTITY", .keyUnusable, .never), ("INVALID_REQUEST", .keyUnusable, .never),
        ("INTERNAL_SERVER_ERROR", .serviceUnavailable, .afterBackoff),
    ]

    @Test(arguments: kmsRows)
    func `the codes of KMS decide at any status`(
        code: String, expected: KMSError.Code, repetition: Repetition
    ) throws {
        for status in [200, 204, 302, 400, 404, 422, 429, 500, 501] {
            for member in ["msg", "message"] {
                let failure = try failure(status, #"{"code":"\#(code)","\#(member)":"why","data":null}"#)
                #expect(failure.code == expected)
                #expect(failure.repetition == repetition)
                #expect(failure.kmsCode == code)
                #expect(failure.kmsMessage == "why")
            }
        }
    }

    static let standardRows: [(String, KMSError.Code, Repetition)] = [
        ("NotFound", KMSError.Code.keyNotFound, Repetition.never), ("ResourceNotFound", .keyNotFound, .never),
        ("Forbidden", .permissionDenied, .never), ("Unauthorized", .authenticationFailed, .afterReauthentication),
        ("InvalidParameter", .requestRejected, .never), ("BadRequest", .requestRejected, .never),
    ]

    @Test(arguments: standardRows)
    func `the codes of NAVER's standard shape decide at any status`(
        code: String, expected: KMSError.Code, repetition: Repetition
    ) throws {
        for status in [200, 400, 401, 404, 422, 503] {
            let failure = try failure(status, #"{"error":{"errorCode":"\#(code)","message":"why"}}"#)
            #expect(failure.code == expected)
            #expect(failure.repetition == repetition)
            #expect(failure.kmsCode == code)
        }
    }

    @Test(arguments: [
        (400, KMSError.Code.requestRejected), (410, .requestRejected), (420, .requestRejected),
        (430, .requestRejected), (500, .serviceUnavailable),
    ])
    func `a code that only repeats the status leaves the decision to the status`(
        status: Int, expected: KMSError.Code
    ) throws {
        for code in ["\(status)", "\"\(status)\""] {
            let failure = try failure(status, #"{"error":{"errorCode":\#(code),"message":"why"}}"#)
            #expect(failure.code == expected)
            #expect(failure.kmsCode == "\(status)")
        }
    }

    static let messageRows: [(words: String, expected: String?)] = [
        (words: #""message":"m","details":"d""#, expected: "m; d"),
        (#""errorCode":"BadRequest","detail":"d","message":"m""#, "m; d"),
        (#""message":"m","details":"m""#, "m"), (#""message":"","details":"d""#, "d"), (#""details":"d""#, "d"),
        (#""message":"m","fieldErrors":[{"field":"f","message":"n"},{"field":"g","message":"o"}]"#, "m; f: n; g: o"),
        (#""message":"m","details":"d","fieldErrors":[{"message":"n"},{"message":"d"},{"field":"f"},7]"#, "m; d; n"),
        (#""message":null,"details":7,"fieldErrors":{}"#, nil),
    ]

    @Test(arguments: messageRows)
    func `the message holds the details and the errors of fields, too`(words: String, expected: String?) throws {
        #expect(try failure(400, #"{"error":{\#(words)}}"#).kmsMessage == expected)
        #expect(try failure(400, "{\(words)}").kmsMessage == expected)
    }

    @Test func `a rejection points to the service's message only where there is one`() throws {
        #expect(try failure(400, #"{"error":{"message":"m"}}"#).error.message.hasSuffix("its own message says why."))
        for body in ["", "<html>", "{}", #"{"error":{"errorCode":"400"}}"#] {
            #expect(try failure(400, body).error.message.contains("without a reason"), "\(body)")
        }
    }

    static let statusRows: [(Int, KMSError.Code, Repetition)] = [
        (100, KMSError.Code.invalidServiceResponse, Repetition.never),
        (201, .invalidServiceResponse, .never), (204, .invalidServiceResponse, .never),
        (301, .invalidServiceResponse, .never), (304, .invalidServiceResponse, .never),
        (400, .requestRejected, .never), (401, .authenticationFailed, .afterReauthentication),
        (403, .permissionDenied, .never), (404, .keyNotFound, .never), (407, .requestRejected, .never),
        (408, .serviceUnavailable, .afterBackoff), (413, .requestRejected, .never),
        (422, .requestRejected, .never), (429, .rateLimited, .afterThrottling),
        (500, .serviceUnavailable, .afterBackoff), (501, .serviceUnavailable, .never),
        (502, .serviceUnavailable, .afterBackoff), (503, .serviceUnavailable, .afterBackoff),
        (504, .serviceUnavailable, .afterBackoff), (505, .serviceUnavailable, .never),
        (599, .serviceUnavailable, .never),
    ]

    @Test(arguments: statusRows)
    func `without a known code the status decides, whatever the body is`(
        status: Int, expected: KMSError.Code, repetition: Repetition
    ) throws {
        let bodies = [
            "", "Bad Gateway", "<html><body>503</body></html>", "{", "[]", "null", "{}", #"{"code":"SUCCESS"}"#,
            #"{"code":"SUCCESS","data":{"publicKey":"key"}}"#, #"{"code":"NEW_CODE"}"#, #"{"error":{}}"#,
            #"{"error":{"errorCode":"999"}}"#, #"{"code":777}"#,
        ]
        for body in bodies {
            let failure = try failure(status, body)
            #expect(failure.code == expected, "\(body)")
            #expect(failure.repetition == repetition, "\(body)")
        }
        guard case .failure(let failure) = ServiceAnswer(status: status, body: [0xFF, 0xFE], to: nobody) else {
            return #expect(Bool(false), "no failure")
        }
        #expect(failure == (try self.failure(status, "")))
    }

    static let damagedRows: [(String, Repetition)] = [
        ("", Repetition.once), ("{", .once), ("<html>", .once), ("null", .once), ("[]", .once),
        ("{}", .once), (#"{"code":null}"#, .once), (#"{"data":{"publicKey":"key"}}"#, .once),
        (#"{"code":"SUCCESS"}"#, .once), (#"{"code":"SUCCESS","data":{}}"#, .once),
        (#"{"code":"SUCCESS","data":{"publicKey":null}}"#, .once), (#"{"code":"SUCCESS","data":null}"#, .once),
        (#"{"code":"SUCCESS","data":{"publicKey":7}}"#, .once), (#"{"code":"SUCCESS","data":"key"}"#, .once),
        (#"{"error":{}}"#, .once), (#"{"code":"NEW_CODE","data":{"publicKey":"key"}}"#, .never),
        (#"{"code":"success","data":{"publicKey":"key"}}"#, .never), (#"{"code":0}"#, .never),
        (#"{"error":{"errorCode":"999"}}"#, .never), (#"{"error":{"errorCode":"SUCCESS"}}"#, .never),
    ]

    @Test(arguments: damagedRows)
    func `a 200 that brings no key is repeated once if it is damaged`(
        body: String, repetition: Repetition
    ) throws {
        let failure = try failure(200, body)
        #expect(failure.code == .invalidServiceResponse)
        #expect(failure.repetition == repetition)
        #expect(failure.error.message.contains(": it"))
    }

    static let numberRows: [(Int, String, KMSError.Code)] = [
        (400, #"{"code":"400","msg":"m"}"#, KMSError.Code.requestRejected),
        (500, #"{"code":500,"msg":"m"}"#, .serviceUnavailable), (404, #"{"code":"100"}"#, .keyNotFound),
        (200, #"{"code":"200"}"#, .invalidServiceResponse),
    ]

    @Test(arguments: numberRows)
    func `a number in the KMS shape is no gateway code at another status`(
        status: Int, body: String, expected: KMSError.Code
    ) throws {
        #expect(try failure(status, body).code == expected)
    }

    static let plainRows: [(String, String?)] = [
        (" upstream connect error \r\n", "upstream connect error"), ("<html>x", nil), ("{\"code\":", nil), ("", nil),
        (#"{"error":"words"}"#, "words"), (#"{"error":{"details":"only these"}}"#, "only these"),
    ]

    @Test(arguments: plainRows)
    func `plain words become the service's message`(body: String, expected: String?) throws {
        #expect(try failure(502, body).kmsMessage == expected)
    }

    static let signature = "pX6auIpt5VICtRDG3S4AsSjq4vwFQHU9iEUJkU36QFE="

    @Test(arguments: [
        #"{"code":"FORBIDDEN","msg":"-----BEGIN PRIVATE KEY-----\nSECRET"}"#,
        #"{"code":"-----BEGIN EC PRIVATE\u0020KEY-----SECRET","msg":"words"}"#,
        "-----BEGIN RSA PRIVATE KEY-----\nSECRET",
        #"{"code":"SECRET","msg":"SECRET","data":"-----BEGIN PRIVATE KEY-----"}"#,
        #"{"code":"x","msg":"got X-NCP-OCAPI-Token: SECRET"}"#,
        #"{"code":"x","msg":"got x-ncp-apigw-signature-v2=SECRET"}"#,
        #"{"error":{"message":"{\"x-ncp-iam-access-key\":\"SECRET\"}"}}"#,
        #"{"code":"x","msg":"SECRET \#(signature) is wrong"}"#,
    ])
    func `a private key or the request's credentials in the service's text go no further`(body: String) throws {
        for status in [200, 400, 403] {
            let failure = try failure(status, body)
            #expect(failure.error.message.hasSuffix("Its text is withheld: it contains a private key or credentials."))
            for text in [failure.kmsCode, failure.kmsMessage] {
                #expect(text.map { $0.contains("SECRET") || $0.contains("words") } != true)
            }
        }
    }

    static let ownRows: [(String, Bool)] = [
        ("/Secret+And/More", true), (#"\\/Secret+And\\/More"#, true), (#"\\u002FSecret\\u002bAnd/More"#, true),
        ("%2FSecret%2bAnd%2FMore", true), (#"\u002fSecret+And/More"#, true),
        (#"x\\u002dNCP-OCAPI-Token: SECRET"#, true), (#"%2\\/Secret+And\\/More"#, true),
        ("Secret+And/More", false), ("%2Secret%zz%", false), (#"\\u00"#, false),
    ]

    @Test(arguments: ownRows)
    func `what the request was authenticated with is known by itself, and in escapes`(
        written: String, isKnown: Bool
    ) throws {
        let secret = "/Secret+And/More"
        for sent in [
            sent(try Credentials(accessKeyID: "A", secretAccessKey: SecretBytes(secret.utf8))),
            sent(try Credentials(accessKeyID: secret, secretAccessKey: SecretBytes("s".utf8))),
            sent(try Credentials(token: SecretBytes(secret.utf8))),
            SentCredentials(nil, signature: secret + "="),
        ] {
            let body = Array(#"{"code":"x","msg":"you said \#(written)!"}"#.utf8)
            guard case .failure(let failure) = ServiceAnswer(status: 403, body: body, to: sent) else {
                return #expect(Bool(false), "no failure")
            }
            #expect(failure.isTextWithheld == isKnown)
            #expect((failure.kmsMessage == nil) == isKnown)
        }
    }

    @Test func `what is too short for a secret hides nothing`() throws {
        #expect(!sent(try Credentials(token: SecretBytes("seven77".utf8))).areRepeated(in: "seven77"))
    }

    @Test func `a key tag as long as a signature is still shown`() throws {
        let text = "no key " + String(repeating: "a1", count: 32)
        let failure = try failure(404, #"{"code":"x","msg":"\#(text)"}"#)
        #expect(failure.kmsMessage == text)
        #expect(!failure.isTextWithheld)
    }

    @Test(arguments: [
        #"{"code":"FORBIDDEN","code":"SUCCESS","data":{"publicKey":"key"}}"#,
        #"{"code":"SUCCESS","data":{"publicKey":"key","public\u004bey":"other"}}"#,
        #"{"error":{"errorCode":"200","errorCode":"210"}}"#,
        #"{"code":"SUCCESS","data":{},"data":{"publicKey":"key"}}"#,
    ])
    func `a body that has a member twice is damaged`(body: String) throws {
        let damaged = try failure(200, body)
        #expect(damaged.code == .invalidServiceResponse)
        #expect(damaged.repetition == .once)
        #expect(damaged.detail == "it has a duplicate member")
        #expect(try failure(503, body).code == .serviceUnavailable)
    }

    @Test func `the service's text is cut at a character's end`() throws {
        let text = String(repeating: "€", count: 400)
        let failure = try failure(500, #"{"code":"\#(text)","msg":"x\#(text)"}"#)
        #expect(failure.kmsCode == String(repeating: "€", count: 341))
        #expect(failure.kmsMessage == "x" + String(repeating: "€", count: 341))
        #expect(failure.error.kmsMessage?.utf8.count == 1_024)
        #expect(ServiceText.capped(String(repeating: "a", count: 1_024)).utf8.count == 1_024)
    }
}
