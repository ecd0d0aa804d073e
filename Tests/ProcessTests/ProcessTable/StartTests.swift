import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "command" and "start".
@Suite(.timeLimit(.minutes(5))) struct StartTests {
    @Test(arguments: [[], ["serve"]])
    func `without credentials it starts, and requests for keys fail`(_ arguments: [String]) async throws {
        let outcome = try await ServiceProcess.answers(
            to: Lines.getPublicKey(1) + "\n" + Lines.request(2, "getStatus"), arguments: arguments)
        let answers = try WireAnswer.all(outcome.result).sorted { $0.id < $1.id }
        #expect(answers.map(\.id) == ["1", "2"])
        #expect(answers.first?.code == 1001)
        #expect(answers.first?.type == "CredentialsUnavailable")
        #expect(answers.last?.result?["credentials"]?.isNull == true)
        #expect(outcome.status == 0)
    }

    @Test func `without a network it starts, and each call finds the service unavailable`() async throws {
        // A port that was free a moment ago refuses connections.
        let responder = try RawResponder([])
        responder.stop()
        let outcome = try await ServiceProcess.answers(
            to: Lines.getPublicKey(1), arguments: ["--endpoint", responder.baseURL],
            environment: EmulatedKMS.credentials)
        let answers = try WireAnswer.all(outcome.result)
        #expect(answers.map(\.code) == [1008])
        #expect(outcome.status == 0)
    }

    @Test(arguments: [
        ["--no-such-flag"], ["--max-in-flight"], ["--max-in-flight", "0"], ["--max-in-flight", "two"],
        ["--cache-ttl", "-1"], ["--log-level", "loud"], ["--framing", "tar"], ["--endpoint", "ftp://x"],
        ["--zone", "moon"], ["--parent-pid", "0"], ["--clientProcessId=0"], ["--clientProcessId"],
        ["--max-message-bytes", "99999999999999999999"], ["surplus"],
        ["serve", "--no-such-flag"],
    ])
    func `a wrong command line is a short message and status 64`(_ arguments: [String]) async throws {
        let outcome = try await ServiceProcess.answers(to: Lines.probe(1), arguments: arguments)
        #expect(outcome.result == [])
        #expect(outcome.status == 64)
        #expect((1...3).contains(outcome.logLines.count), "\(outcome.log)")
    }

    /// As the clients of editors append them.
    @Test(arguments: [
        ["--stdio"], ["serve", "--stdio"], ["--stdio", "--clientProcessId=PID"], ["--clientProcessId", "PID", "serve"],
        ["--parent-pid", "PID", "--stdio"],
    ])
    func `what editors' clients append is understood`(_ arguments: [String]) async throws {
        let arguments = arguments.map { $0.replacing("PID", with: "\(getpid())") }
        let outcome = try await ServiceProcess.answers(to: Lines.probe(1), arguments: arguments)
        #expect(try WireAnswer.all(outcome.result).map(\.code) == [-32601])
        #expect(outcome.status == 0, "\(outcome.log)")
    }

    @Test(arguments: [
        ["--ca-file", "/nonexistent"], ["--ca-file", "/tmp"], ["--config-file", "/nonexistent"],
        ["--config-file", "/tmp"], ["--token-file", "/nonexistent"], ["--profile", "nobody"],
    ])
    func `a file of a flag that can't be read is a short message and status 78`(_ arguments: [String]) async throws {
        let outcome = try await ServiceProcess.answers(to: Lines.probe(1), arguments: arguments)
        #expect(outcome.result == [])
        #expect(outcome.status == 78)
        #expect((1...3).contains(outcome.logLines.count), "\(outcome.log)")
        #expect(outcome.log.contains(arguments[0]))
    }

    /// Each of the ways to name a file, and whether what is no file at all stops the start: a place of credentials is passed
    /// over, which the message of 1001 tells.
    private static let paths = [
        ("--ca-file", true), ("NCLOUD_KMS_CA_FILE", true), ("--token-file", true), ("--config-file", true),
        ("NCLOUD_KMS_TOKEN_FILE", false), ("NCLOUD_CONFIG_FILE", false),
    ]

    @Test(.timeLimit(.minutes(5)), arguments: paths, ["pipe", "/dev/null", "/dev/tty", "folder"])
    func `what is no regular file keeps nobody waiting`(
        _ origin: (name: String, isFatal: Bool), _ kind: String
    ) async throws {
        let folder = try TemporaryDirectory()
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        #expect(mkdir(folder.path("folder"), 0o700) == 0)
        let path = kind.hasPrefix("/") ? kind : folder.path(kind)
        let isFlag = origin.name.hasPrefix("--")
        for command in [[], ["get-public-key", "k"], ["doctor"]] {
            let outcome = try await ServiceProcess.answers(
                to: Lines.getPublicKey(1), arguments: (isFlag ? [origin.name, path] : []) + command,
                environment: isFlag ? [:] : [origin.name: path])
            guard origin.isFatal else {
                #expect((outcome.result.joined() + outcome.log).contains(path), "\(command)")
                continue
            }
            let isDoctor = command == ["doctor"]
            #expect(isDoctor || outcome.status == 78)
            #expect((isDoctor ? outcome.result.joined() : outcome.log).contains("\(origin.name) \(path): "))
        }
    }

    @Test func `a variable with nonsense in it is a short message and status 78`() async throws {
        let outcome = try await ServiceProcess.answers(
            to: Lines.probe(1), environment: ["NCLOUD_KMS_MAX_BATCH": "many"])
        #expect(outcome.result == [])
        #expect(outcome.status == 78)
        #expect(outcome.logLines.count == 1)
        #expect(outcome.log.contains("NCLOUD_KMS_MAX_BATCH"))
    }
}
