import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Credentials: what changes while the program runs, and what is wrong from the start.
@Suite(.timeLimit(.minutes(5))) struct FaultCredentialTests {
    private static let old = Seed.AccessKey(id: "OLDACCESSKEY00000001", secret: "an-old-secret-key-that-is-long-enough")
    private static let new = Seed.AccessKey(id: "NEWACCESSKEY00000002", secret: "a-new-secret-key=with=equals=signs===")

    private static func seed(_ keys: Seed.AccessKey...) -> Seed { Seed(accessKeys: keys, keys: Seed.demo.keys) }

    private static func profile(_ key: Seed.AccessKey) -> String {
        "[DEFAULT]\nncloud_access_key_id = \(key.id)\nncloud_secret_access_key = \(key.secret)\n"
    }

    /// The variables that name an emulator, and no credentials.
    private static func variables(_ kms: EmulatedKMS, _ more: [String: String]) -> [String: String] {
        kms.environment.filter { !$0.key.contains("ACCESS") }.merging(more) { _, new in new }
    }

    private func run(
        _ kms: EmulatedKMS, _ variables: [String: String], body: (ServiceProcess) async throws -> Void
    ) async throws -> String {
        let outcome = try await ServiceProcess.run(environment: Self.variables(kms, variables), body: body)
        #expect(outcome.status == 0)
        return outcome.log
    }

    // MARK: Rotation on disk

    @Test func `a profile file that was rotated is read again when its keys are refused`() async throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("configure", Self.profile(Self.old).utf8)
        try await EmulatedKMS.with(seed: Self.seed(Self.old)) { kms in
            let log = try await run(kms, ["NCLOUD_CONFIG_FILE": path]) { process in
                #expect(try await process.getPublicKey().attempts == 1)
                kms.emulator.setSeed(Self.seed(Self.new))
                // Refused, and the file is as it was.
                let refused = try await process.getPublicKey()
                #expect(refused.code == 1002)
                #expect(refused.attempts == 1)

                try folder.write("configure", Self.profile(Self.new).utf8)
                let rotated = try await process.getPublicKey()
                #expect(rotated.code == nil, "\(rotated.message)")
                #expect(rotated.attempts == 2)
                #expect(try await process.getPublicKey().attempts == 1)
                let credentials = try await process.status()["credentials"]
                #expect(credentials?["accessKeyId"]?.string == "NEWA…")
            }
            #expect(log.contains("the credentials were refused; using others"))
            #expect(kms.emulator.state.total == 5)
        }
    }

    @Test func `a profile file that is half written keeps the old keys, and is read again`() async throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("configure", Self.profile(Self.old).utf8)
        try await EmulatedKMS.with(seed: Self.seed(Self.old)) { kms in
            _ = try await run(kms, ["NCLOUD_CONFIG_FILE": path]) { process in
                #expect(try await process.getPublicKey().code == nil)
                kms.emulator.setSeed(Self.seed(Self.new))
                try folder.write("configure", "[DEFAULT]\nncloud_access_key_id = \(Self.new.id)\n".utf8)
                #expect(try await process.getPublicKey().code == 1002)
                try folder.write("configure", Self.profile(Self.new).utf8)
                #expect(try await process.getPublicKey().code == nil)
            }
        }
    }

    @Test(arguments: [true, false])
    func `a token file that changed is used with the next request`(isFlag: Bool) async throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("token", "first-token\n".utf8)
        var seed = Seed.demo
        seed.tokens = [Seed.Token(token: "first-token", keyTag: "demo-rsa")]
        let key = isFlag ? "other" : "NCLOUD_KMS_TOKEN_FILE"
        try await EmulatedKMS.with(seed: seed) { kms in
            let outcome = try await ServiceProcess.run(
                arguments: isFlag ? ["--token-file", path] : [], environment: Self.variables(kms, [key: path])
            ) { process in
                #expect(try await process.getPublicKey().attempts == 1)
                var seed = seed
                seed.tokens = [Seed.Token(token: "second-token", keyTag: "demo-rsa")]
                kms.emulator.setSeed(seed)
                #expect(try await process.getPublicKey().code == 1002)
                // Not there for a moment, as while it is replaced: the old one is used.
                unlink(path)
                #expect(try await process.getPublicKey().code == 1002)
                try folder.write("token", "second-token".utf8)
                let answer = try await process.getPublicKey()
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 1)
                #expect(try await process.status()["credentials"]?["accessKeyId"]?.isNull == true)
            }
            #expect(outcome.status == 0)
            #expect(outcome.logLines.filter { $0.contains("token file changed") }.count == 1)
        }
    }

    @Test func `a token that is refused is 1002, and one without the right to the key 1003`() async throws {
        var seed = Seed.demo
        seed.tokens = [Seed.Token(token: "for-another-key", keyTag: "demo-ec")]
        try await EmulatedKMS.with(seed: seed) { kms in
            for (token, code) in [("unknown", 1002), ("for-another-key", 1003)] {
                _ = try await run(kms, ["NCLOUD_KMS_TOKEN": token]) { process in
                    let answer = try await process.getPublicKey()
                    #expect(answer.code == code)
                    #expect(answer.attempts == 1)
                }
            }
        }
    }

    @Test(arguments: [
        (["NCLOUD_ACCESS_KEY_ID": "\"\(old.id)\"", "NCLOUD_SECRET_ACCESS_KEY": old.secret], "The access key id"),
        (["NCLOUD_ACCESS_KEY_ID": old.id, "NCLOUD_SECRET_ACCESS_KEY": "'\(old.secret)'"], "The secret access key"),
        (["NCLOUD_KMS_TOKEN": "\"a-token\""], "The token"),
    ])
    func `quotation marks that were kept around a key are named where the service refuses it`(
        variables: [String: String], part: String
    ) async throws {
        var seed = Self.seed(Self.old)
        seed.tokens = [Seed.Token(token: "a-token", keyTag: "demo-rsa")]
        try await EmulatedKMS.with(seed: seed) { kms in
            _ = try await run(kms, variables) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1002)
                let advice = "\(part) from the environment is in quotation marks"
                #expect(answer.message.contains(advice), "\(answer.message)")
            }
            let outcome = try await ServiceProcess.output(of: ["doctor"], environment: Self.variables(kms, variables))
            let text = String(decoding: outcome.result, as: UTF8.self)
            let warnings = text.split(separator: "\n").filter { $0.hasPrefix("warn credentials") }
            #expect(warnings.count == 1)
            #expect(warnings.first?.contains("quotation marks") == true)
            #expect(outcome.status == 0)
        }
    }

    @Test(arguments: [(0o644, 1), (0o600, 0)] as [(mode_t, Int)])
    func `doctor has a line on a file of credentials that others can read`(mode: mode_t, count: Int) async throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("configure", Self.profile(Self.old).utf8)
        #expect(chmod(path, mode) == 0)
        try await EmulatedKMS.with(seed: Self.seed(Self.old)) { kms in
            let outcome = try await ServiceProcess.output(
                of: ["doctor"], environment: Self.variables(kms, ["NCLOUD_CONFIG_FILE": path]))
            let lines = String(decoding: outcome.result, as: UTF8.self).split(separator: "\n")
            let warnings = lines.filter { $0.hasPrefix("warn credentials") && $0.contains("chmod go= \(path)") }
            #expect(warnings.count == count)
            #expect(outcome.status == 0)
        }
    }

    /// As the secrets of containers are.
    @Test(.enabled(if: PrivateHosts.arePossible, "mount namespaces are refused"), arguments: [true, false])
    func `a file that others can read is no warning where nobody can change that`(isReadOnly: Bool) async throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("configure", Self.profile(Self.old).utf8)
        #expect(chmod(path, 0o644) == 0)
        let mount = "mount --bind \(path) \(path) && mount -o remount,bind,\(isReadOnly ? "ro" : "rw") \(path)"
        try await EmulatedKMS.with(seed: Self.seed(Self.old)) { kms in
            let outcome = try await ServiceProcess.output(
                "/usr/bin/unshare",
                of: [
                    "--mount", "/bin/sh", "-c", "\(mount) && exec \"$0\" doctor",
                    BuiltProducts.path(of: "ncloud-kms-rpc"),
                ],
                environment: Self.variables(kms, ["NCLOUD_CONFIG_FILE": path]))
            #expect(outcome.status == 0, "\(outcome.log)")
            let text = String(decoding: outcome.result, as: UTF8.self)
            #expect(text.contains("other users can read") == !isReadOnly, "\(text)")
        }
    }

    @Test(arguments: ["NCLOUD_CONFIG_FILE", "NCLOUD_KMS_TOKEN_FILE"])
    func `a file of credentials that others can read is a warning, once`(variable: String) async throws {
        let folder = try TemporaryDirectory()
        var seed = Self.seed(Self.old)
        seed.tokens = [Seed.Token(token: "a-token", keyTag: "demo-rsa")]
        let text = variable.contains("TOKEN") ? "a-token" : Self.profile(Self.old)
        try await EmulatedKMS.with(seed: seed) { kms in
            for (mode, count) in [(0o644, 1), (0o600, 0)] as [(mode_t, Int)] {
                let path = try folder.write("credentials", text.utf8)
                #expect(chmod(path, mode) == 0)
                let log = try await run(kms, [variable: path]) { (process) async throws in
                    for _ in 0..<3 { #expect(try await process.getPublicKey().code == nil) }
                }
                let advice = "other users can read or change the credentials file; it should be yours alone"
                let warnings = log.split(separator: "\n").filter { $0.contains(advice) }
                #expect(warnings.count == count)
                #expect(warnings.allSatisfy { $0.contains("warning") && $0.contains(path) })
            }
        }
    }

    // MARK: None

    @Test func `without credentials nothing is sent, and the message lists where was looked`() async throws {
        try await EmulatedKMS.with { kms in
            _ = try await run(kms, ["NCLOUD_CONFIG_FILE": "/nonexistent/configure"]) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1001)
                #expect(answer.attempts == nil)
                for place in ["NCLOUD_KMS_TOKEN", "NCLOUD_ACCESS_KEY_ID", "/nonexistent/configure", "server role"] {
                    #expect(answer.message.contains(place), "\(answer.message)")
                }
            }
            #expect(kms.emulator.state.total == 0)
        }
    }

    @Test(arguments: [
        ["NCLOUD_ACCESS_KEY_ID": "ONLYTHEIDOFAKEYPAIR1"], ["NCLOUD_SECRET_KEY": "only-the-secret-of-a-pair"],
    ])
    func `half a pair is an error that says so`(variables: [String: String]) async throws {
        try await EmulatedKMS.with { kms in
            _ = try await run(kms, variables) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1001)
                #expect(answer.reason == "unusable")
                for (name, value) in variables {
                    #expect(answer.message.contains(name))
                    #expect(!answer.message.contains(value))
                }
            }
            #expect(kms.emulator.state.total == 0)
        }
    }
}
