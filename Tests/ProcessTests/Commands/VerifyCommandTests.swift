import KMSEmulator
import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct VerifyCommandTests {
    private static let message = Array("what was signed\n".utf8)

    private static let kms = Task { try EmulatedKMS(seed: await TestKeys.shared.value.seed) }

    private let folder: TemporaryDirectory
    private let file: String

    init() throws {
        folder = try TemporaryDirectory()
        file = try folder.write("message", Self.message)
    }

    private func run(
        _ arguments: [String], input: [UInt8] = []
    ) async throws -> ServiceProcess.Outcome<[UInt8]> {
        try await ServiceProcess.output(
            of: ["verify"] + arguments, input: input, environment: Self.kms.value.environment)
    }

    private func expect(
        _ outcome: ServiceProcess.Outcome<[UInt8]>, _ status: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let said = String(decoding: outcome.result, as: UTF8.self)
        #expect(said == (status == 0 ? "valid\n" : "not valid\n"), sourceLocation: sourceLocation)
        #expect(outcome.log == "", sourceLocation: sourceLocation)
        #expect(outcome.status == status, sourceLocation: sourceLocation)
    }

    @Test func `words count in any case, and white space around a value for nothing`() async throws {
        let signature = try await TestKeys.shared.value.p256.sign(Self.message, algorithm: "ES256")
        let path = try folder.write("signature", signature)
        let arguments = ["ec", file, "--signature", path, "--key-version", "1 "]
        expect(try await run(arguments + ["--algorithm", " es256", "--encoding", "DER\r"]), 0)
    }

    @Test(arguments: [("rsa", "RS256"), ("rsa", "PS512"), ("ec", "ES256")])
    func `a signature is read in each of its forms, and is valid or not`(
        _ keyTag: String, _ algorithm: String
    ) async throws {
        let keys = try await TestKeys.shared.value
        let pair = keyTag == "rsa" ? keys.rsa : keys.p256
        let signature = try await pair.sign(Self.message, algorithm: algorithm)
        let base64 = Base64.encode(signature)
        let version = keyTag == "rsa" ? 2 : 1
        let wrapped = stride(from: 0, to: base64.count, by: 64).map { String(base64.dropFirst($0).prefix(64)) }
        let forms: [[UInt8]] = [
            signature, Array(base64.utf8), Array((wrapped.joined(separator: "\n") + "\n").utf8),
            Array("\u{FEFF}\(base64)\r\n".utf8), Array("\u{FEFF}ncpkms:v\(version):\(base64)".utf8),
            Array("ncpkms:v\(version):\(base64)".utf8), Array(" ncpkms:v\(version):\(base64)\r\n".utf8),
            Array("\u{FEFF}\(base64)\r\n".utf8), Array("\u{FEFF}ncpkms:v\(version):\(base64)".utf8),
        ]
        for form in forms {
            let path = try folder.write("signature", form)
            let arguments = [keyTag, "--algorithm", algorithm, "--signature", path]
            expect(try await run(arguments + [file]), 0)
            expect(try await run(arguments + ["-"], input: Self.message), 0)
            expect(try await run(arguments + ["-"], input: Self.message + [0]), 1)
        }
        let pinned = ["--key-version", "\(version)", "--signature", try folder.write("signature", signature)]
        expect(try await run([keyTag, "--algorithm", algorithm] + pinned + [file]), 0)
    }

    @Test(arguments: ["RS256", "PS256", "ES256"])
    func `a signature can come on stdin, and in the alphabet of URLs`(_ algorithm: String) async throws {
        let keys = try await TestKeys.shared.value
        let tag = algorithm == "ES256" ? "ec" : "rsa"
        let signature = try await (tag == "ec" ? keys.p256 : keys.rsa).sign(Self.message, algorithm: algorithm)
        let forURL = Base64.encodeForURL(signature)
        let padded = forURL + String(repeating: "=", count: (4 - forURL.count % 4) % 4)
        for text in [
            forURL, padded, "ncpkms:v\(tag == "ec" ? 1 : 2):\(forURL)",
            "\(forURL.prefix(60))\n\(forURL.dropFirst(60))\n",
        ] {
            let arguments = [tag, "--algorithm", algorithm, "--signature"]
            expect(try await run(arguments + ["-", file], input: Array(text.utf8)), 0)
            expect(try await run(arguments + [try folder.write("signature", text.utf8), file]), 0)
        }
        expect(try await run([tag, "--algorithm", algorithm, "--signature", "-", file], input: signature), 0)
    }

    @Test func `both on stdin is a wrong command line`() async throws {
        let outcome = try await run(["rsa", "--algorithm", "PS256", "--signature", "-", "-"])
        #expect(outcome.status == 64)
        #expect(outcome.logLines.count == 1)
    }

    /// With a 2,048 bit key and SHA-256 the service's salt has 222 bytes, as many as fit.
    @Test func `a signature as the service makes them is PS256, and not RS256`() async throws {
        let signature = try await TestKeys.shared.value.rsa.sign(
            Self.message, algorithm: "PS256", saltLength: "222")
        let path = try folder.write("signature", "ncpkms:v2:\(Base64.encode(signature))".utf8)
        expect(try await run(["rsa", "--algorithm", "PS256", "--signature", path, file]), 0)
        expect(try await run(["rsa", "--algorithm", "RS256", "--signature", path, file]), 1)
    }

    @Test(arguments: [0, 1])
    func `a verdict that can't be written is status 74, and a reader that is gone wants the status`(
        _ status: Int
    ) async throws {
        let signature = try await TestKeys.shared.value.rsa.sign(Self.message, algorithm: "RS256")
        let signed = status == 0 ? file : try folder.write("other", Self.message + [0])
        let path = try folder.write("signature", signature)
        let arguments = ["verify", "rsa", "--algorithm", "RS256", "--signature", path, signed]
        let environment = try await Self.kms.value.environment
        let full = try await ServiceProcess.run(
            arguments: arguments, environment: environment, output: .file("/dev/full", O_WRONLY), readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(full.status == 74)
        #expect(full.log.hasPrefix("ncloud-kms-rpc: stdout: "), "\(full.log)")
        let closed = try Channel.pipeFromProgram()
        close(closed.ours)
        let gone = try await ServiceProcess.run(
            arguments: arguments, environment: environment, output: Channel(program: closed.program), readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(gone.status == status)
        #expect(gone.log == "")
    }

    @Test func `a file that is larger than any buffer is verified`() async throws {
        let large = [UInt8](repeating: 0x5A, count: 5 << 20)
        let signature = try await TestKeys.shared.value.rsa.sign(large, algorithm: "RS384")
        let path = try folder.write("signature", signature)
        let arguments = ["rsa", "--algorithm", "RS384", "--signature", path]
        expect(try await run(arguments + [try folder.write("large", large)]), 0)
        expect(try await run(arguments + ["-"], input: large), 0)
        expect(try await run(arguments + ["-"], input: large.dropLast()), 1)
    }

    @Test func `p1363 is another form, which has to be named`() async throws {
        let der = try await TestKeys.shared.value.p256.sign(Self.message, algorithm: "ES256")
        let path = try folder.write("signature", OpenSSLKeyPair.p1363(der, width: 32))
        let arguments = ["ec", "--algorithm", "ES256", "--signature", path, file]
        expect(try await run(arguments + ["--encoding", "p1363"]), 0)
        expect(try await run(arguments), 1)
    }

    @Test(
        arguments: [
            [], [0], Array("no signature at all".utf8), Array("nosignatureatall".utf8),
            [UInt8](repeating: 0x41, count: 65_536), Array("<html>".utf8),
            // Hexadecimal, which Base64 could be taken for.
            Array(String(repeating: "0badc0de", count: 64).utf8),
        ] as [[UInt8]])
    func `a file that holds no signature is status 2, not 1`(_ contents: [UInt8]) async throws {
        let path = try folder.write("signature", contents)
        for (tag, algorithm) in [("rsa", "PS256"), ("ec", "ES256")] {
            let outcome = try await run([tag, "--algorithm", algorithm, "--signature", path, file])
            #expect(outcome.result == [])
            #expect(outcome.log.contains("not a signature by \(algorithm)"), "\(outcome.log)")
            #expect(outcome.logLines.count == 1)
            #expect(outcome.status == 2)
        }
    }

    @Test func `another signature, or by a key of another size, is not valid`() async throws {
        let keys = try await TestKeys.shared.value
        let other = try await keys.otherRSA.sign(Self.message, algorithm: "PS256")
        for contents in [other, [UInt8](repeating: 1, count: 256)] {
            let path = try folder.write("signature", contents)
            expect(try await run(["rsa", "--algorithm", "PS256", "--signature", path, file]), 1)
        }
    }

    @Test func `another version of the key is not valid`() async throws {
        let signature = try await TestKeys.shared.value.rsa.sign(Self.message, algorithm: "RS256")
        let path = try folder.write("signature", signature)
        let arguments = ["rsa", "--algorithm", "RS256", "--signature", path, file]
        expect(try await run(arguments + ["--key-version", "1"]), 1)
    }

    @Test(arguments: [
        (["none", "--algorithm", "RS256"], "AAAA", "KeyNotFound (1004): "),
        (["rsa", "--algorithm", "ES256"], "AAAA", "InvalidParams (-32602): algorithm "),
        (["ec", "--algorithm", "RS256"], "AAAA", "InvalidParams (-32602): algorithm "),
        (
            ["rsa", "--algorithm", "RS256", "--key-version", "1"], "ncpkms:v2:AAAA",
            "InvalidParams (-32602): signature "
        ),
        (["rsa", "--algorithm", "RS256"], "ncpkms:v0:AAAA", "InvalidParams (-32602): signature "),
        (["rsa", "--algorithm", "RS256"], "ncpkms:v9:AAAA", "KeyUnusable (1005): "),
        (["rsa", "--algorithm", "RS256", "--endpoint", "http://127.0.0.1:9"], "AAAA", "ServiceUnavailable (1008): "),
    ])
    func `what could not be told is one line, and status 2`(
        _ arguments: [String], _ signature: String, _ start: String
    ) async throws {
        let path = try folder.write("signature", signature.utf8)
        let outcome = try await run(arguments + ["--signature", path, file])
        #expect(outcome.result == [])
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: \(start)"), "\(outcome.log)")
        #expect(outcome.logLines.count == 1)
        #expect(outcome.status == 2)
    }

    @Test(arguments: ["/nonexistent", "/tmp"])
    func `a signed file that can't be read is status 2, and a signature file 78`(_ path: String) async throws {
        let signature = try folder.write("signature", "AAAA".utf8)
        let unsigned = try await run(["rsa", "--algorithm", "RS256", "--signature", signature, path])
        #expect(unsigned.log.hasPrefix("ncloud-kms-rpc: \(path): "), "\(unsigned.log)")
        #expect(unsigned.status == 2)
        let unread = try await run(["rsa", "--algorithm", "RS256", "--signature", path, file])
        #expect(unread.log.hasPrefix("ncloud-kms-rpc: --signature \(path): "), "\(unread.log)")
        #expect(unread.status == 78)
        let huge = try folder.write("huge", [UInt8](repeating: 0, count: 65_537))
        #expect(try await run(["rsa", "--algorithm", "RS256", "--signature", huge, file]).status == 78)
    }
}
