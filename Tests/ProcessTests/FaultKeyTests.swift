import KMSJSON
import KMSEmulator
import KMSTestSupport
import Testing

/// Answers that say SUCCESS and hold no key that may be trusted.
@Suite(.timeLimit(.minutes(5))) struct FaultKeyTests {
    /// A 200 answer, and how often it is asked for.
    private static let bodies: [(name: String, body: String, attempts: Int)] = [
        ("no key", #"{"code":"SUCCESS","data":{}}"#, 2),
        ("no data", #"{"code":"SUCCESS"}"#, 2),
        ("null key", #"{"code":"SUCCESS","data":{"publicKey":null}}"#, 2),
        ("a number for a key", #"{"code":"SUCCESS","data":{"publicKey":7}}"#, 2),
        ("no code", #"{"data":{"publicKey":\#(quoted(demoKey))}}"#, 2),
        ("null code", #"{"code":null,"data":{"publicKey":\#(quoted(demoKey))}}"#, 2),
        ("an empty key", #"{"code":"SUCCESS","data":{"publicKey":""}}"#, 2),
        ("an array", "[]", 2),
        ("cut JSON", #"{"code":"SUCCESS","data":{"publicKey":"-----BEGIN"#, 2),
    ]

    @Test(arguments: bodies.indices)
    func `a 200 without a key is 1010, after a second look`(index: Int) async throws {
        let (name, body, attempts) = Self.bodies[index]
        try await expectRefusal(
            Seed.Key(
                keyTag: "k", keyType: .rsa2048,
                rawAnswer: Answer(status: 200, contentType: "application/json", body: Array(body.utf8))),
            attempts: attempts, name)
    }

    @Test func `a key that fails its checks is 1010, and its text is nowhere`() async throws {
        let keys = try await TestKeys.shared.value
        let weak = try await OpenSSLKeyPair.rsa(bits: 1_024)
        let wrongCurve = try await OpenSSLKeyPair.ec("P-224")
        let rows: [(String, String)] = [
            ("a private key", keys.p256.privateKey), ("a private RSA key", keys.rsa.privateKey),
            ("two blocks", keys.p256.publicKey + keys.p384.publicKey),
            ("a public and a private key", keys.p256.publicKey + keys.p256.privateKey), ("weak RSA", weak.publicKey),
            ("a wrong curve", wrongCurve.publicKey), ("no PEM", "not a key"),
            ("a damaged PEM", keys.p256.publicKey.replacing("A", with: "!")),
        ]
        for (name, text) in rows {
            let log = try await expectRefusal(Seed.Key("k", .rsa2048, [text]), attempts: 2, name)
            let secret = text.split(separator: "\n").dropFirst().first.map(String.init) ?? text
            #expect(!log.contains(secret), "\(name)")
        }
    }

    /// - Returns: everything that the program wrote.
    @discardableResult
    private func expectRefusal(_ key: Seed.Key, attempts: Int, _ name: String) async throws -> String {
        try await EmulatedKMS.with(seed: Seed(keys: [key])) { kms in
            let outcome = try await kms.run(["--log-level", "trace"]) { process in
                try process.beginGetPublicKey(1, #"{"keyTag":"\#(key.keyTag)"}"#)
                return await process.nextLine() ?? ""
            }
            let answer = try FaultAnswer(outcome.result)
            #expect(answer.code == 1010, "\(name)")
            #expect(answer.attempts == attempts, "\(name)")
            #expect(answer.httpStatus == 200, "\(name)")
            #expect(kms.emulator.state.total == attempts, "\(name)")
            return outcome.result + outcome.log
        }
    }
}
