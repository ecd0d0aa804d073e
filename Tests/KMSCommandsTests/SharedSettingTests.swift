import KMSTestSupport
import NCloudKMS
import Testing

@testable import KMSCommands

@Suite struct SharedSettingTests {
    private func configuration(
        _ flags: [Setting.Name: String], _ variables: [String: String] = [:]
    ) throws -> SharedStateConfiguration? {
        try ProgramConfiguration(flags: flags, environment: EnvironmentVariables(variables)).client.shared
    }

    @Test func `nothing is shared unless an engine is named`() throws {
        #expect(try configuration([:]) == nil)
        #expect(try configuration([.sharedKeys: "on", .sharedPrefix: "x"], ["NCLOUD_KMS_SHARED_PASSWORD": "p"]) == nil)
    }

    @Test func `the defaults`() throws {
        let shared = try #require(try configuration([.shared: "unix:///run/redis.sock"]))
        #expect(shared.address.description == "unix:///run/redis.sock")
        #expect(shared.keys == .off)
        #expect(shared.user == "default")
        #expect(shared.commandTimeout == .milliseconds(100))
        #expect(shared.prefix == "nkms")
        #expect(shared.macSecret == nil)
        guard case .none = shared.password else { return #expect(Bool(false), "a password") }
    }

    @Test func `a flag wins over its variable, and a file over a password`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("from the file\n", to: "password")
        let variables = [
            "NCLOUD_KMS_SHARED": "redis://localhost", "NCLOUD_KMS_SHARED_KEYS": "READ",
            "NCLOUD_KMS_SHARED_TIMEOUT": "7",
            "NCLOUD_KMS_SHARED_PASSWORD": "p", "NCLOUD_KMS_SHARED_USER": "kms", "NCLOUD_KMS_SHARED_PREFIX": "a:b",
        ]
        let shared = try #require(
            try configuration(
                [.sharedKeys: "on", .sharedPasswordFile: folder.path("password")], variables))
        #expect(shared.address.description == "redis://localhost:6379")
        #expect(shared.keys == .on)
        #expect(shared.user == "kms")
        #expect(shared.commandTimeout == .milliseconds(7))
        #expect(shared.prefix == "a:b")
        guard case .file(folder.path("password")) = shared.password else { return #expect(Bool(false), "no file") }
    }

    private static let engine = [Setting.Name.shared: "unix:///run/redis.sock"]

    static let mistakes: [([Setting.Name: String], String)] = [
        ([.shared: "redis://user:hidden@localhost"], "--shared must not contain a user name or password"),
        ([.shared: "redis://localhost/0"], "--shared "),
        ([.shared: "redis://localhost?db=1"], "--shared "),
        ([.shared: "unix:///run/redis.sock?db=1"], "--shared must have nothing after the path of the socket"),
        ([.shared: "unix://redis.sock"], "--shared must hold an absolute path"),
        ([.shared: "http://localhost"], "--shared must be unix:///PATH, "),
        (
            [.shared: "redis://cache.example.com"],
            "--shared must be rediss://…, because others could change what passes between the machines; if they can't, set --shared-plaintext"
        ),
        ([.shared: ""], "--shared needs a value"),
        ([.sharedKeys: "maybe"], "--shared-keys must be one of off, read, on"),
        ([.sharedTimeout: "0"], "--shared-timeout must be an integer from 1 to 10000"),
        ([.sharedTimeout: "10001"], "--shared-timeout must be an integer from 1 to 10000"),
        (engine.merging([.sharedPrefix: "a{b}"]) { $1 }, "--shared-prefix must be 1 to 64 letters"),
        (engine.merging([.sharedUser: "a b"]) { $1 }, "--shared-user must be a name without spaces"),
        (engine.merging([.sharedClientCert: "/a.pem"]) { $1 }, "--shared"),
    ]

    @Test(arguments: mistakes)
    func `a mistake in a flag is status 64, and a password in it is not repeated`(
        flags: [Setting.Name: String], message: String
    ) {
        let error = #expect(throws: ConfigurationError.self) { try configuration(flags) }
        #expect(error?.message.hasPrefix(message) ?? false, "\(error?.message ?? "")")
        #expect(error?.message.contains("hidden") == false)
        #expect(error.map { CommandFailure($0).status.rawValue } == 64)
    }

    @Test func `the same in a variable is status 78`() {
        let error = #expect(throws: ConfigurationError.self) {
            try configuration([:], ["NCLOUD_KMS_SHARED": "redis://user:hidden@localhost"])
        }
        #expect(error?.message.hasPrefix("NCLOUD_KMS_SHARED ") ?? false)
        #expect(error?.message.contains("hidden") == false)
        #expect(error.map { CommandFailure($0).status.rawValue } == 78)
    }

    @Test(arguments: [([Setting.Name.sharedPlaintext: ""], [:]), ([:], ["NCLOUD_KMS_SHARED_PLAINTEXT": "1"])])
    func `plain TCP to another machine can be allowed`(flags: [Setting.Name: String], variables: [String: String])
        throws
    {
        let flags = flags.merging([.shared: "redis://cache.example.com"]) { $1 }
        #expect(try configuration(flags, variables)?.address.isPlaintextToAnotherMachine == true)
    }

    static let badFiles: [(Setting.Name, bytes: Int, mode: UInt32, String)] = [
        (.sharedMACFile, 31, 0o600, "must hold at least 32 random bytes"),
        (.sharedMACFile, 32, 0o640, "other users can read or change it"),
        (.sharedMACFile, 32, 0o604, "other users can read or change it"),
        (.sharedMACFile, -1, 0, "No such file or directory"),
        (.sharedPasswordFile, -1, 0, "No such file or directory"),
        (.sharedCAFile, -1, 0, "No such file or directory"),
    ]

    @Test(arguments: badFiles)
    func `a file that can't be used stops the program with status 78`(
        setting: Setting.Name, bytes: Int, mode: UInt32, problem: String
    ) throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("file")
        if bytes >= 0 {
            try folder.write(String(repeating: "s", count: bytes), to: "file")
            try ChildProcess.run("/bin/chmod", [String(mode, radix: 8), path])
        }
        let error = #expect(throws: ConfigurationError.self) {
            try configuration(Self.engine.merging([setting: path]) { $1 })
        }
        #expect(error?.message.hasPrefix("\(setting.flag) ") ?? false, "\(error?.message ?? "")")
        #expect(error?.message.contains(problem) ?? false, "\(error?.message ?? "")")
        #expect(error?.message.contains("sss") == false)
        #expect(error.map { CommandFailure($0).status.rawValue } == 78)
    }

    @Test func `32 bytes of a file with mode 600 are a MAC secret`() throws {
        let folder = try TemporaryDirectory()
        try folder.write(String(repeating: "s", count: 32), to: "file")
        let shared = try configuration(Self.engine.merging([.sharedMACFile: folder.path("file")]) { $1 })
        #expect(shared?.macSecret?.count == 32)
    }
}
