import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// The service inside an emulator that is the metadata service of a server, too.
@Suite(.timeLimit(.minutes(5))) struct EmulatedRoleTests {
    private static let input = """
        {"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":["demo-ec"]}
        {"jsonrpc":"2.0","id":2,"method":"getStatus"}

        """

    @Test(arguments: [[], ["--http"]])
    func `it signs with the role's key pair, whatever the user's own profile has`(options: [String]) async throws {
        let home = try TemporaryDirectory()
        #expect(mkdir(home.path(".ncloud"), 0o700) == 0)
        try home.write(
            "[DEFAULT]\nncloud_access_key_id = REAL\nncloud_secret_access_key = real\n", to: ".ncloud/configure")
        let command = ["/usr/bin/env", "HOME=\(home.path)", BuiltProducts.path(of: "ncloud-kms-rpc")]
        let outcome = try await ServiceProcess.output(
            "ncloud-kms-emulator", of: options + ["--metadata", "--"] + command,
            input: Array(Self.input.utf8))
        #expect(outcome.status == 0, "\(outcome.log)")
        let answers = try outcome.result.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
        let key = answers.first { $0["id"]?.integer == 1 }
        #expect(key?["result"]?["keyType"]?.string == "EC", "\(outcome.log)")
        #expect(!outcome.log.contains("REAL"))
    }
}
