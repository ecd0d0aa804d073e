import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct ServerRoleTests {
    static let wall: Int64 = 1_700_000_000_000  // 2023-11-14T22:13:20Z
    static let path = "/latest/meta-data/iam/security-credentials/"
    private let start = Instant(nanoseconds: 1_000)

    private func role(_ variables: [String: String] = [:]) throws -> ServerRole {
        try ServerRole(EnvironmentVariables(variables))
    }

    private func keys(_ expiration: String, access: String = "AK") -> [UInt8] {
        Array(
            #"{"AccessKeyId":"\#(access)","SecretAccessKey":"SK","Expiration":"\#(expiration)","Code":"Success"}"#.utf8)
    }

    private func requestTarget(_ step: ServerRole.Step) -> String? {
        switch step {
        case .ask(let request): request.target
        case .ready(_, let refresh): refresh?.target
        case .wait, .unavailable: nil
        }
    }

    private func accessKey(_ step: ServerRole.Step) -> String? {
        guard case .ready(let credentials, _) = step else { return nil }
        return credentials.abbreviatedAccessKeyID
    }

    private func reason(_ step: ServerRole.Step) -> String? {
        guard case .unavailable(let reason, _) = step else { return nil }
        return reason
    }

    /// Takes both answers, the second one `document`.
    private func answer(_ role: inout ServerRole, _ document: [UInt8], at now: Instant, wall: Int64 = wall) {
        let second = role.answered(status: 200, body: Array("role-1\n".utf8), now: now, wallClockMilliseconds: wall)
        #expect(second?.target == Self.path + "role-1")
        #expect(role.answered(status: 200, body: document, now: now, wallClockMilliseconds: wall) == nil)
    }

    @Test func `two questions bring the keys, and callers in between wait`() throws {
        var role = try role()
        guard case .ask(let request) = role.next(now: start) else {
            Issue.record("nothing asked")
            return
        }
        #expect(request == MetadataRequest(endpoint: role.endpoint, target: Self.path))
        #expect(role.endpoint.description == "http://169.254.169.254")
        guard case .wait = role.next(now: start) else {
            Issue.record("a second question")
            return
        }
        answer(&role, keys("2023-11-14T23:13:20Z"), at: start)
        let step = role.next(now: start)
        #expect(accessKey(step) == "AK…")
        #expect(requestTarget(step) == nil)
        #expect(role.credentials(now: start)?.source == .serverRole(name: "role-1"))
    }

    @Test func `keys are refreshed 15 minutes before they end while the old ones serve`() throws {
        var role = try role()
        _ = role.next(now: start)
        answer(&role, keys("2023-11-14T23:13:20Z"), at: start)
        let due = start + .seconds(45 * 60)
        #expect(requestTarget(role.next(now: due + .nanoseconds(-1))) == nil)

        let step = role.next(now: due)
        #expect(accessKey(step) == "AK…")
        #expect(requestTarget(step) == Self.path)
        // One refresh at a time.
        #expect(requestTarget(role.next(now: due)) == nil)
        #expect(accessKey(role.next(now: due)) == "AK…")

        answer(&role, keys("2023-11-15T00:13:20Z", access: "NEW"), at: due, wall: Self.wall + 45 * 60_000)
        #expect(accessKey(role.next(now: due)) == "NEW…")
        #expect(requestTarget(role.next(now: due)) == nil)
    }

    @Test func `a failed refresh is remembered for 10 s and the old keys serve until they end`() throws {
        var role = try role()
        _ = role.next(now: start)
        answer(&role, keys("2023-11-14T23:13:20Z"), at: start)
        let due = start + .seconds(45 * 60)
        _ = role.next(now: due)
        role.failed("it did not answer within 3 s", now: due)
        #expect(requestTarget(role.next(now: due + .seconds(10) + .nanoseconds(-1))) == nil)
        #expect(requestTarget(role.next(now: due + .seconds(10))) == Self.path)
        role.failed("again", now: due + .seconds(10))

        let end = start + .seconds(60 * 60)
        #expect(accessKey(role.next(now: end + .nanoseconds(-1))) == "AK…")
        guard case .wait = role.next(now: end) else {
            Issue.record("ended keys in use")
            return
        }
        role.failed("gone", now: end)
        #expect(reason(role.next(now: end + .seconds(9))) == "gone")
        #expect(requestTarget(role.next(now: end + .seconds(10))) == Self.path)
    }

    @Test func `a failure without keys is remembered for 60 s`() throws {
        var role = try role()
        _ = role.next(now: start)
        role.failed("nobody there", now: start)
        guard case .unavailable(let reason, let retryAfter) = role.next(now: start + .seconds(59)) else {
            Issue.record("asked again")
            return
        }
        #expect(reason == "nobody there")
        #expect(retryAfter == .seconds(1))
        #expect(requestTarget(role.next(now: start + .seconds(60))) == Self.path)
    }

    @Test func `keys with little time left are not asked for at every call`() throws {
        var role = try role()
        _ = role.next(now: start)
        answer(&role, keys("2023-11-14T22:18:20Z"), at: start)
        #expect(requestTarget(role.next(now: start)) == nil)
        #expect(requestTarget(role.next(now: start + .seconds(60))) == Self.path)
    }

    static let badDocuments: [(String, String)] = [
        ("", "not a JSON object"), ("[]", "not a JSON object"), (#"{"AccessKeyId":"AK""#, "not a JSON object"),
        (#"{"AccessKeyId":"AK","SecretAccessKey":"SK"}"#, "lacks"),
        (#"{"AccessKeyId":"AK","Expiration":"2023-11-14T23:13:20Z"}"#, "lacks"),
        (
            #"{"AccessKeyId":"AK","SecretAccessKey":"SK","Expiration":"2023-11-14T23:13:20Z","Token":"t"}"#,
            "another cloud"
        ),
        (#"{"Code":"NoRole","Message":"m"}"#, "Code NoRole instead of Success"),
        (#"{"Code":5}"#, "Code instead of Success"),
        (#"{"AccessKeyId":"AK","SecretAccessKey":"SK","Expiration":"tomorrow"}"#, "not a valid date"),
        (#"{"AccessKeyId":"AK","SecretAccessKey":"SK","Expiration":"2023-11-14T22:13:20Z"}"#, "already expired"),
        (#"{"AccessKeyId":"A K","SecretAccessKey":"SK","Expiration":"2023-11-14T23:13:20Z"}"#, "AccessKeyId"),
    ]

    @Test(arguments: badDocuments)
    func `an answer that is not NAVER's or not whole is a failure that says why`(body: String, why: String) throws {
        var role = try role()
        _ = role.next(now: start)
        answer(&role, Array(body.utf8), at: start)
        let reason = try #require(self.reason(role.next(now: start)))
        #expect(reason.contains(why))
        #expect(!reason.contains("SK"))
    }

    @Test func `null members count as absent`() throws {
        var role = try role()
        _ = role.next(now: start)
        let body =
            #"{"AccessKeyId":"AK","SecretAccessKey":"SK","Expiration":"2023-11-14T23:13:20Z","Token":null,"Code":null}"#
        answer(&role, Array(body.utf8), at: start)
        #expect(accessKey(role.next(now: start)) == "AK…")
    }

    static let badRoles: [(Int, String, String)] = [
        (404, "", "no role for this server"), (500, "oops", "HTTP 500"), (302, "", "HTTP 302"),
        (200, " \n", "names no role"), (200, "<html>", "names no role"), (200, "../x", "names no role"),
        (200, "a b", "names no role"),
        (200, String(repeating: "r", count: 257), "names no role"),
    ]

    @Test(arguments: badRoles)
    func `a list without a role is a failure that says why`(status: Int, body: String, why: String) throws {
        var role = try role()
        _ = role.next(now: start)
        let request = role.answered(
            status: status, body: Array(body.utf8), now: start, wallClockMilliseconds: Self.wall)
        #expect(request == nil)
        #expect(reason(role.next(now: start))?.contains(why) == true)
    }

    @Test func `the first of several roles is taken`() throws {
        var role = try role()
        _ = role.next(now: start)
        let request = role.answered(
            status: 200, body: Array("one\r\ntwo\r\n".utf8), now: start, wallClockMilliseconds: Self.wall)
        #expect(request?.target == Self.path + "one")
    }

    @Test(arguments: ["http://127.0.0.1:8080", "http://[fe80::a9fe]", "http://localhost:1", "https://metadata.example"])
    func `another metadata service is taken where nobody else can answer`(text: String) throws {
        #expect(try role([ServerRole.endpointVariable: text]).endpoint.description == text)
    }

    @Test(arguments: ["http://metadata.example", "http://10.0.0.1", "http://127.0.0.1/path", "x"])
    func `any other metadata service is refused`(text: String) {
        let error = #expect(throws: InvalidValue.self) { try role([ServerRole.endpointVariable: text]) }
        #expect(error?.name == "NCLOUD_METADATA_API_ENDPOINT")
    }

    @Test func `an answer that nobody asked for is ignored`() throws {
        var role = try role()
        #expect(role.answered(status: 200, body: [], now: start, wallClockMilliseconds: Self.wall) == nil)
        #expect(requestTarget(role.next(now: start)) == Self.path)
    }

    private func response(_ body: [UInt8], at now: Instant, date: String?, age: String?) -> HTTPResponse {
        let moment = HTTPResponse.Moment(instant: now, wallClockMilliseconds: Self.wall)
        return HTTPResponse(
            status: 200, headers: HTTPResponse.Headers(date: date, age: age), body: body, sent: moment.instant,
            received: moment, timing: HTTPResponse.Timing(), reusedConnection: false)
    }

    // This machine's clock says 22:13:20, the other one 21:13:20.
    static let dates: [(String?, String?, Duration)] = [
        ("Tue, 14 Nov 2023 21:13:20 GMT", nil, .seconds(7_200)), (nil, nil, .seconds(3_600)),
        ("rubbish", nil, .seconds(3_600)), ("Tue, 14 Nov 2023 21:13:20 GMT", "60", .seconds(3_600)),
    ]

    @Test(arguments: dates)
    func `how long keys live is told by the metadata service's own clock`(
        date: String?, age: String?, lifetime: Duration
    ) throws {
        var role = try role()
        _ = role.next(now: start)
        #expect(role.ended(.success(response(Array("r".utf8), at: start, date: date, age: age)), now: start) != nil)
        let document = response(keys("2023-11-14T23:13:20Z"), at: start, date: date, age: age)
        #expect(role.ended(.success(document), now: start) == nil)
        #expect(role.credentials(now: start + lifetime + .nanoseconds(-1)) != nil)
        #expect(role.credentials(now: start + lifetime) == nil)
    }

    @Test func `a failed transfer's sentence becomes the end of another`() throws {
        var role = try role()
        _ = role.next(now: start)
        #expect(role.ended(.failure(TransportFailure(.connectionRefused, message: "It refused.")), now: start) == nil)
        #expect(reason(role.next(now: start)) == "It refused")
    }
}

@Suite struct ISO8601DateTests {
    static let isoDates: [(String, Int64?)] = [
        ("1970-01-01T00:00:00Z", 0), ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000_500), ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123),
        ("2023-11-15T07:13:20+09:00", 1_700_000_000_000), ("2023-11-15T07:13:20+0900", 1_700_000_000_000),
        ("2023-11-15T07:13:20+09", 1_700_000_000_000), ("2023-11-14T18:43:20-03:30", 1_700_000_000_000),
        ("2023-11-14t22:13:20z", 1_700_000_000_000), ("2023-11-14 22:13:20,25Z", 1_700_000_000_250),
        ("2023-11-14T22:13:20", nil), ("2023-11-14", nil), ("2023-11-14T22:13Z", nil), ("2023-13-14T22:13:20Z", nil),
        ("2023-11-14T22:13:20.Z", nil), ("2023-11-14T22:13:20+24:00", nil), ("2023-11-14T22:13:20+09:60", nil),
        ("2023-11-14T22:13:20+09:0", nil), ("2023-11-14T22:13:20Zx", nil), ("20231114T221320Z", nil), ("", nil),
    ]

    @Test(arguments: isoDates)
    func `ISO 8601 dates are read with their offset`(text: String, expected: Int64?) {
        #expect(ISO8601Date.milliseconds(of: text) == expected)
    }
}
