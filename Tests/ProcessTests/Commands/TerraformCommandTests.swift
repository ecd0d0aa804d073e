import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct TerraformCommandTests {
    private static let kms = Task { try EmulatedKMS(seed: await TestKeys.shared.value.seed) }

    private func run(_ query: String, _ arguments: [String] = []) async throws -> ServiceProcess.Outcome<[UInt8]> {
        try await ServiceProcess.output(
            of: ["terraform"] + arguments, input: Array(query.utf8), environment: Self.kms.value.environment)
    }

    @Test(arguments: [
        (
            #"{"key_tag":"rsa","key_version":"1"}"#,
            [
                "key_tag", "key_version", "public_key", "spki", "spki_sha256", "key_type", "key_size", "jwk", "ssh",
                "ssh_fingerprint",
            ]
        ),
        (
            #"{"key_tag":"ec"}"#,
            [
                "key_tag", "public_key", "spki", "spki_sha256", "key_type", "key_size", "curve", "jwk", "ssh",
                "ssh_fingerprint",
            ]
        ),
        (
            "\u{FEFF}" + #" {"key_version":"","key_tag":"k1"}"# + "\n",
            ["key_tag", "public_key", "spki", "spki_sha256", "key_type", "key_size", "curve", "jwk"]
        ),
        (
            #"{"key_tag":"k1","key_version":null}"#,
            ["key_tag", "public_key", "spki", "spki_sha256", "key_type", "key_size", "curve", "jwk"]
        ),
    ])
    func `a key is a flat object of strings`(_ query: String, _ names: [String]) async throws {
        let outcome = try await run(query)
        #expect(outcome.status == 0, "\(outcome.log)")
        #expect(outcome.log == "")
        let result = try JSONValue(parsing: outcome.result)
        let members = try #require(result.members)
        #expect(members.map(\.name) == names)
        #expect(members.allSatisfy { $0.value.string != nil })

        let pem = try #require(result["public_key"]?.string)
        let key = try PublicKey(pem: Array(pem.utf8))
        #expect(result["spki_sha256"]?.string == key.spkiSHA256)
        #expect(result["key_type"]?.string == key.keyType.rawValue)
        #expect(result["key_size"]?.string == String(key.keySize))
        #expect(result["curve"]?.string == key.curve?.rawValue)
        let jwk = try JSONValue(parsing: try #require(result["jwk"]?.string))
        #expect(jwk["kid"]?.string == key.jwkThumbprint)
    }

    @Test(arguments: [
        ("", "stdin must be one JSON object of strings"), ("[]", "stdin must be one JSON object of strings"),
        ("{", "stdin must be one JSON object of strings"), ("{}", "key_tag is missing"),
        (#"{"key_tag":null}"#, "key_tag is missing"), (#"{"key_tag":7}"#, "key_tag must be a string"),
        (#"{"key_tag":"a/b"}"#, "key_tag may contain only"),
        (#"{"key_tag":"a","key_version":1}"#, "key_version must be a string"),
        (#"{"key_tag":"a","key_version":"0"}"#, "key_version must be from 1 to 100"),
        (
            #"{"key_tag":"a","keyVersion":"1"}"#,
            "keyVersion is an unknown member; the members are key_tag and key_version"
        ),
        (#"{"key_tag":"a","key_tag":"b"}"#, "key_tag occurs twice"),
        (#"{"key_tag":"a"} {}"#, "stdin must be one JSON object of strings"),
        (
            #"{"key_tag":""# + String(repeating: "a", count: 70_000) + #""}"#,
            "stdin is larger than 64 KiB, which no query needs"
        ),
    ])
    func `a query that can't be used is one line, and status 64`(_ query: String, _ problem: String) async throws {
        let outcome = try await run(query)
        #expect(outcome.result == [])
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        #expect(outcome.log.contains(problem), "\(outcome.log)")
        #expect(outcome.status == 64)
    }

    @Test(arguments: [
        (#"{"key_tag":"none"}"#, [], 66), (#"{"key_tag":"rsa","key_version":"9"}"#, [], 66),
        (#"{"key_tag":"rsa"}"#, ["--endpoint", "http://127.0.0.1:9", "--max-attempts", "1"], 69),
        (#"{"key_tag":"rsa"}"#, ["--ca-file", "/nonexistent"], 78),
    ])
    func `a failure is one line, and a status of its kind`(
        _ query: String, _ arguments: [String], _ status: Int
    ) async throws {
        let outcome = try await run(query, arguments)
        #expect(outcome.result == [])
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        #expect(outcome.status == status)
    }
}
