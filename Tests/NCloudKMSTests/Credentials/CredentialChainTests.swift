import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite struct CredentialChainTests {
    private let now = Instant(nanoseconds: 0)
    private let folder: TemporaryDirectory
    static let keyVariables = ["NCLOUD_ACCESS_KEY_ID": "ENVKEY", "NCLOUD_SECRET_KEY": "ENVSECRET"]

    init() throws {
        folder = try .home()
    }

    private func profile(_ accessKey: String, _ secret: String = "FILESECRET") -> String {
        "ncloud_access_key_id=\(accessKey)\nncloud_secret_access_key=\(secret)\n"
    }

    private func chain(
        _ variables: [String: String] = [:], profile: String? = nil, configurationFile: String? = nil,
        tokenFile: String? = nil
    ) -> CredentialChain {
        CredentialChain(
            CredentialLookup(
                environment: EnvironmentVariables(["HOME": folder.path].merging(variables) { $1 }), profile: profile,
                configurationFile: configurationFile, tokenFile: tokenFile))
    }

    private func found(_ chain: inout CredentialChain) throws -> String {
        switch chain.next(now: now) {
        case .ready(let credentials, _): try EnvironmentCredentialsTests.contents(of: credentials)
        case .ask: "ask"
        case .wait: "wait"
        case .unavailable(let error): throw error
        }
    }

    @Test func `the places are searched in order and the first whole one wins`() throws {
        try folder.write(profile("HOMEKEY"), to: ".ncloud/configure")
        let token = try folder.file("TOKEN-1\n", "token")
        let other = try folder.file("TOKEN-2\n", "token2")
        let rows: [([String: String], String?, String)] = [
            ([:], nil, "HOMEKEY:FILESECRET"),
            (Self.keyVariables, nil, "ENVKEY:ENVSECRET"),
            (Self.keyVariables.merging(["NCLOUD_KMS_TOKEN_FILE": token]) { $1 }, nil, "TOKEN-1"),
            (["NCLOUD_KMS_TOKEN_FILE": token, "NCLOUD_KMS_TOKEN": "VARIABLE"], nil, "VARIABLE"),
            (["NCLOUD_KMS_TOKEN_FILE": token, "NCLOUD_KMS_TOKEN": "VARIABLE"], other, "TOKEN-2"),
            // A token beats half a key pair, too.
            (["NCLOUD_ACCESS_KEY": "HALF", "NCLOUD_KMS_TOKEN": "VARIABLE"], nil, "VARIABLE"),
        ]
        for (variables, tokenFile, expected) in rows {
            var chain = chain(variables, tokenFile: tokenFile)
            #expect(try found(&chain) == expected)
        }
    }

    @Test func `profile and file come from the flags, then from the variables`() throws {
        try folder.write(profile("HOMEKEY"), to: ".ncloud/configure")
        let file = try folder.file(profile("A") + "[dev]\n" + profile("B"), "other")
        let rows: [([String: String], String?, String?, String)] = [
            (["NCLOUD_CONFIG_FILE": file], nil, nil, "A:FILESECRET"),
            (["NCLOUD_CONFIG_FILE": file, "NCLOUD_PROFILE": "dev"], nil, nil, "B:FILESECRET"),
            (["NCLOUD_CONFIG_FILE": file, "NCLOUD_PROFILE": "none"], "dev", nil, "B:FILESECRET"),
            (["NCLOUD_CONFIG_FILE": "/none"], "dev", file, "B:FILESECRET"),
        ]
        for (variables, profile, file, expected) in rows {
            var chain = chain(variables, profile: profile, configurationFile: file)
            #expect(try found(&chain) == expected)
        }
    }

    @Test func `half a pair ends the search with an error`() throws {
        try folder.write(profile("HOMEKEY"), to: ".ncloud/configure")
        var chain = chain(["NCLOUD_ACCESS_KEY": "HALF"])
        let error = try #require(throws: KMSError.self) { try found(&chain) }
        #expect(error.code == .credentialsUnavailable)
        #expect(error.message.contains("NCLOUD_ACCESS_KEY is set, but"))

        try folder.write("not a line", to: ".ncloud/configure")
        var second = self.chain()
        let malformed = try #require(throws: KMSError.self) { try found(&second) }
        #expect(malformed.message.contains("\(folder.path)/.ncloud/configure, line 1 is neither"))
        #expect(!malformed.message.contains("not a line"))
    }

    @Test func `when nothing is found the server role is asked, and then the message lists every place`() throws {
        var chain = chain(["NCLOUD_KMS_TOKEN_FILE": "/none/token", "NCLOUD_PROFILE": "dev"])
        guard case .ask(let request) = chain.next(now: now) else {
            Issue.record("the server role was not asked")
            return
        }
        #expect(request.endpoint.description == "http://169.254.169.254")
        #expect(try found(&chain) == "wait")
        chain.serverRole?.failed("it did not answer", now: now)
        let error = try #require(throws: KMSError.self) { try found(&chain) }
        #expect(
            error.message.hasPrefix(
                "No credentials were found; looked in NCLOUD_KMS_TOKEN (not set); "
                    + "token file /none/token (open: No such file or directory); "
                    + "the environment (no NCLOUD_ACCESS_KEY_ID); "
                    + "profile dev of \(folder.path)/.ncloud/configure (open: No such file or directory); "
                    + "server role at http://169.254.169.254 (it did not answer). "))

        // What is missing may be put there later.
        try folder.write("[dev]\n" + profile("LATER"), to: ".ncloud/configure")
        #expect(try found(&chain) == "LATER:FILESECRET")
    }

    @Test func `a metadata service that can't be used is named`() throws {
        var chain = chain(["NCLOUD_METADATA_API_ENDPOINT": "http://elsewhere"])
        let error = try #require(throws: KMSError.self) { try found(&chain) }
        #expect(error.message.contains("server role (NCLOUD_METADATA_API_ENDPOINT must be a link-local"))
    }

    @Test func `the keys of the server role are used`() throws {
        var chain = chain()
        _ = chain.next(now: now)
        _ = chain.serverRole?.answered(status: 200, body: Array("r".utf8), now: now, wallClockMilliseconds: 0)
        let body = #"{"AccessKeyId":"RK","SecretAccessKey":"RS","Expiration":"1970-01-01T01:00:00Z"}"#
        _ = chain.serverRole?.answered(status: 200, body: Array(body.utf8), now: now, wallClockMilliseconds: 0)
        #expect(try found(&chain) == "RK:RS")
        // Found once, they stay until they end.
        try folder.write(profile("HOMEKEY"), to: ".ncloud/configure")
        #expect(try found(&chain) == "RK:RS")
        guard case .ready(_, let refresh) = chain.next(now: now + .seconds(50 * 60)) else {
            Issue.record("no keys")
            return
        }
        #expect(refresh != nil)
    }

    @Test func `the places are not searched again while the metadata service is being asked`() throws {
        var chain = chain()
        #expect(try found(&chain) == "ask")
        try folder.write(profile("HOMEKEY"), to: ".ncloud/configure")
        #expect(try found(&chain) == "wait")
        chain.serverRole?.failed("it did not answer", now: now)
        #expect(try found(&chain) == "HOMEKEY:FILESECRET")
    }

    @Test func `a profile file is read again only when it changed and its keys were refused`() throws {
        try folder.write(profile("OLDKEY"), to: ".ncloud/configure")
        var chain = chain()
        #expect(try found(&chain) == "OLDKEY:FILESECRET")
        let old = try #require(chain.credentials(now: now)).identity
        #expect(try chain.replacement(for: old, now: now) == nil)

        try folder.write(profile("NEWERKEY"), to: ".ncloud/configure")
        #expect(try found(&chain) == "OLDKEY:FILESECRET")
        let new = try #require(try chain.replacement(for: old, now: now))
        #expect(new.abbreviatedAccessKeyID == "NEWE…")
        #expect(try found(&chain) == "NEWERKEY:FILESECRET")
        // A call that was signed with the old ones, and comes back late, is given the new ones.
        #expect(try chain.replacement(for: old, now: now)?.identity == new.identity)
        #expect(try chain.replacement(for: new.identity, now: now) == nil)
    }

    @Test func `a file that changed for the worse keeps the old keys`() throws {
        try folder.write(profile("OLDKEY"), to: ".ncloud/configure")
        var chain = chain()
        _ = try found(&chain)
        let old = try #require(chain.credentials(now: now)).identity
        try folder.write("ncloud_access_key_id=HALF\n", to: ".ncloud/configure")
        #expect(throws: KMSError.self) { try chain.replacement(for: old, now: now) }
        #expect(try found(&chain) == "OLDKEY:FILESECRET")
        try folder.remove(".ncloud/configure")
        #expect(try chain.replacement(for: old, now: now) == nil)
        #expect(try found(&chain) == "OLDKEY:FILESECRET")
    }

    @Test func `a file that was only touched brings no replacement`() throws {
        try folder.write(profile("KEY"), to: ".ncloud/configure")
        var chain = chain()
        _ = try found(&chain)
        let identity = try #require(chain.credentials(now: now)).identity
        try folder.remove(".ncloud/configure")
        try folder.write(profile("KEY"), to: ".ncloud/configure")
        #expect(try chain.replacement(for: identity, now: now) == nil)
    }

    @Test func `a token file is read again when it changes`() throws {
        let file = try folder.file("one", "token")
        var chain = chain(tokenFile: file)
        #expect(try found(&chain) == "one")
        try folder.write("second", to: "token")
        #expect(try found(&chain) == "second")
        try folder.write("", to: "token")
        #expect(try found(&chain) == "second")
        #expect(chain.tokenFileProblem?.contains("must not be empty") == true)
        try folder.remove("token")
        #expect(try found(&chain) == "second")
        #expect(chain.tokenFileProblem?.contains("No such file") == true)
        try folder.write("the third", to: "token")
        #expect(try found(&chain) == "second")
        try folder.write("third", to: "token")
        #expect(try found(&chain) == "third")
        #expect(chain.tokenFileProblem == nil)
    }

    @Test func `a token file that was overwritten in place with nothing but its text changed is read again`() throws {
        let file = try folder.file("token-one", "token")
        var chain = chain(tokenFile: file)
        #expect(try found(&chain) == "token-one")
        try folder.overwriteKeepingTimes("token-two", "token")
        #expect(try found(&chain) == "token-two")
    }

    @Test func `a profile file is read again after a refusal, though it has the same size and time`() throws {
        try folder.write(profile("OLDKEY"), to: ".ncloud/configure")
        var chain = chain()
        _ = try found(&chain)
        let old = try #require(chain.credentials(now: now)).identity
        try folder.overwriteKeepingTimes(profile("NEWKEY"), ".ncloud/configure")
        #expect(try chain.replacement(for: old, now: now)?.abbreviatedAccessKeyID == "NEWK…")
    }

    @Test(
        arguments: [
            (0o600, false), (0o400, false), (0o700, false), (0o711, false), (0o640, true), (0o604, true),
            (0o644, true), (0o620, true), (0o602, true),
        ] as [(mode_t, Bool)])
    func `a file of credentials that others can read or change is told`(mode: mode_t, isTold: Bool) throws {
        let token = try folder.file("token-one", "token")
        try folder.write(profile("KEY"), to: ".ncloud/configure")
        let configuration = folder.path(".ncloud/configure")
        for (file, tokenFile) in [(token, token), (configuration, nil)] {
            #expect(chmod(file, mode) == 0)
            var chain = chain(tokenFile: tokenFile)
            #expect(chain.fileOpenToOthers == nil)
            _ = try found(&chain)
            #expect(chain.fileOpenToOthers == (isTold ? file : nil))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"), arguments: [0, 65_534] as [uid_t])
    func `a file of credentials that another user owns is told`(owner: uid_t) throws {
        let token = try folder.file("token-one", "token")
        #expect(chmod(token, 0o600) == 0 && chown(token, owner, 0) == 0)
        var chain = chain(tokenFile: token)
        _ = try found(&chain)
        #expect(chain.fileOpenToOthers == (owner == geteuid() ? nil : token))
    }

    @Test func `a leading tilde and slash in a path are the home directory`() throws {
        _ = try folder.file("\(profile("FILEKEY"))", "other")
        _ = try folder.file("TOKEN", "token")
        var chains = [
            chain(configurationFile: "~/other"), chain(["NCLOUD_CONFIG_FILE": "~/other"]), chain(tokenFile: "~/token"),
            chain(["NCLOUD_KMS_TOKEN_FILE": " ~/token\n"]),
        ]
        let expected = ["FILEKEY:FILESECRET", "FILEKEY:FILESECRET", "TOKEN", "TOKEN"]
        for index in chains.indices { #expect(try found(&chains[index]) == expected[index]) }
    }

    @Test func `a byte order mark before a token is no part of it`() throws {
        var chain = chain(tokenFile: try folder.file("\u{FEFF}token-one\r\n", "token"))
        #expect(try found(&chain) == "token-one")
    }

    @Test func `variables are not looked at again`() throws {
        var chain = chain(Self.keyVariables)
        _ = try found(&chain)
        let identity = try #require(chain.credentials(now: now)).identity
        #expect(try chain.replacement(for: identity, now: now) == nil)
    }

    @Test func `credentials of the application need no search`() throws {
        var chain = CredentialChain(try Credentials(accessKeyID: "APP", secretAccessKey: SecretBytes("S".utf8)))
        #expect(try found(&chain) == "APP:S")
        let identity = try #require(chain.credentials(now: now)).identity
        #expect(try chain.replacement(for: identity, now: now) == nil)
    }

    @Test func `what a flag names must be there`() throws {
        let file = try folder.file("[dev]\n" + profile("A"), "f")
        let bad = try folder.file("[dev\n", "bad")
        func problem(profile: String? = nil, file: String? = nil, token: String? = nil) -> InvalidValue? {
            let lookup = CredentialLookup(
                environment: EnvironmentVariables(["HOME": folder.path, "NCLOUD_PROFILE": "none"]), profile: profile,
                configurationFile: file, tokenFile: token)
            do { try lookup.verifyNamedPlaces() } catch { return error }
            return nil
        }
        #expect(problem() == nil)
        #expect(problem(file: file) == nil)
        #expect(problem(profile: "dev", file: file, token: file) == nil)
        #expect(problem(profile: "x", file: file)?.description == "profile x is not in \(file)")
        #expect(problem(profile: "x")?.name == "profile")
        #expect(problem(file: "/none")?.description == "configurationFile /none: open: No such file or directory")
        #expect(problem(file: bad)?.problem.contains("line 1 has an unclosed profile name") == true)
        #expect(problem(file: folder.path)?.problem.contains("directory") == true)
        #expect(problem(token: "/none")?.name == "tokenFile")
    }

    @Test func `a pipe in a file's place is refused for what it is`() throws {
        let pipe = folder.path("pipe")
        guard mkfifo(pipe, 0o600) == 0 else { throw PlatformError("mkfifo") }
        for path in [pipe, "/dev/null"] {
            #expect(throws: SecretFile.Problem.notRegular(isDirectory: false)) { try SecretFile(reading: path) }
        }
        let error = #expect(throws: InvalidValue.self) {
            try CredentialLookup(environment: EnvironmentVariables([:]), tokenFile: pipe).verifyNamedPlaces()
        }
        #expect(error?.problem == "\(pipe): it is a pipe or a device, and must be a regular file")
    }

    @Test func `a file that is too large to hold credentials is refused`() throws {
        let file = try folder.file(String(repeating: "#", count: SecretFile.maximumBytes + 1), "large")
        #expect(throws: SecretFile.Problem.system(PlatformError("read", errorNumber: EFBIG))) {
            try SecretFile(reading: file)
        }
        let full = try folder.file(String(repeating: "#", count: SecretFile.maximumBytes), "full")
        #expect(try SecretFile(reading: full).contents.count == SecretFile.maximumBytes)
    }
}

extension TemporaryDirectory {
    /// A home directory, in which `.ncloud/configure` may be written.
    fileprivate static func home() throws -> TemporaryDirectory {
        let home = try TemporaryDirectory()
        guard mkdir(home.path(".ncloud"), 0o700) == 0 else { throw PlatformError("mkdir") }
        return home
    }

    /// Writes a file and returns its path.
    fileprivate func file(_ text: String, _ name: String) throws -> String {
        try write(text, to: name)
        return path(name)
    }

    /// Writes other text of the same length over a file, and gives it back its old times.
    fileprivate func overwriteKeepingTimes(_ text: String, _ name: String) throws {
        let reference = path("\(name).times")
        try ChildProcess.run("/usr/bin/touch", ["-r", path(name), reference])
        try write(text, to: name)
        try ChildProcess.run("/usr/bin/touch", ["-r", reference, path(name)])
    }

    fileprivate func remove(_ name: String) throws {
        guard unlink(path(name)) == 0 else { throw PlatformError("unlink") }
    }
}
