import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

/// `verifySignature` of the built program, against signatures that the `openssl` program made.
@Suite struct VerifySignatureTests {
    private static let message = Array("the message".utf8)

    private static let kms = Task { try EmulatedKMS(seed: await TestKeys.shared.value.seed) }

    /// An algorithm, the key that it fits, and the bytes of one of its numbers on the curve.
    private struct Subject {
        let algorithm: SignatureAlgorithm
        let keyTag: String
        let pair: OpenSSLKeyPair
        let width: Int?
        /// The version that `pair` is.
        let version: Int

        init(_ algorithm: SignatureAlgorithm) async throws {
            let keys = try await TestKeys.shared.value
            self.algorithm = algorithm
            (keyTag, pair, width, version) =
                switch algorithm {
                case .es256: ("ec", keys.p256, 32, 1)
                case .es384: ("p384", keys.p384, 48, 1)
                case .es512: ("p521", keys.p521, 66, 1)
                default: ("rsa", keys.rsa, nil, 2)
                }
        }

        var isPSS: Bool { algorithm.rawValue.hasPrefix("PS") }

        func params(
            _ signature: [UInt8], data: [UInt8] = message, prefix: String = "", more: String = ""
        ) -> String {
            #"{"keyTag":"\#(keyTag)","algorithm":"\#(algorithm.rawValue)","data":"\#(Base64.encode(data))","#
                + #""signature":"\#(prefix)\#(Base64.encode(signature))"\#(more)}"#
        }
    }

    private func expect(
        _ valid: Bool, _ params: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let answers = try await Self.kms.value.answers(to: "verifySignature", params)
        for (params, answer) in zip(params, answers) {
            #expect(
                answer["result"]?["valid"]?.bool == valid, "\(params) → \(answer.text)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func `what openssl signed is valid`(_ algorithm: SignatureAlgorithm) async throws {
        let subject = try await Subject(algorithm)
        let signature = try await subject.pair.sign(Self.message, algorithm: algorithm.rawValue)
        let digest = Base64.encode(
            try await OpenSSLKeyPair.digest(Self.message, bits: Int(algorithm.rawValue.suffix(3)) ?? 0))
        var params = [
            subject.params(signature),
            subject.params(signature, more: #","keyVersion":\#(subject.version)"#),
            subject.params(signature, prefix: "ncpkms:v\(subject.version):"),
            subject.params(
                signature, prefix: "ncpkms:v\(subject.version):", more: #","keyVersion":\#(subject.version)"#),
            subject.params(signature, more: #","encoding":"der","maxAgeMs":0,"timeoutMs":30000,"_meta":1"#),
            #"{"keyTag":"\#(subject.keyTag)","algorithm":"\#(algorithm.rawValue)","digest":"\#(digest)","#
                + #""signature":"\#(Base64.encode(signature))"}"#,
            subject.params(try await subject.pair.sign([], algorithm: algorithm.rawValue), data: []),
        ]
        if let width = subject.width {
            let raw = OpenSSLKeyPair.p1363(signature, width: width)
            params.append(subject.params(raw, more: #","encoding":"p1363""#))
        } else {
            // An RSA signature has one form, whatever the word.
            params.append(subject.params(signature, more: #","encoding":"p1363""#))
        }
        if subject.isPSS {
            for length in ["0", "7", "max"] {
                let signature = try await subject.pair.sign(
                    Self.message, algorithm: algorithm.rawValue, saltLength: length)
                params.append(subject.params(signature))
            }
        }
        try await expect(true, params)
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func `whatever is damaged is not valid, and no error`(_ algorithm: SignatureAlgorithm) async throws {
        let subject = try await Subject(algorithm)
        let signature = try await subject.pair.sign(Self.message, algorithm: algorithm.rawValue)
        var damaged: [[UInt8]] = [
            [], [0], Array(signature.dropLast()), Array(signature.dropFirst()), signature + [0], [0] + signature,
            signature + signature, signature.reversed(), [UInt8](repeating: 0, count: signature.count),
            [UInt8](repeating: 0xFF, count: signature.count), [UInt8](repeating: 0x30, count: 100_000),
        ]
        for index in [0, 1, 3, signature.count / 2, signature.count - 1] {
            var flipped = signature
            flipped[index] ^= 1
            damaged.append(flipped)
        }
        var params = damaged.map { subject.params($0) }
        params.append(subject.params(signature, data: Self.message + [0]))
        params.append(subject.params(signature, data: []))
        if let width = subject.width {
            let raw = OpenSSLKeyPair.p1363(signature, width: width)
            params.append(subject.params(raw))
            params += [signature, Array(raw.dropLast()), raw + [0], [0] + raw].map {
                subject.params($0, more: #","encoding":"p1363""#)
            }
            let zeros = [UInt8](repeating: 0, count: 2 * width)
            params.append(subject.params(zeros, more: #","encoding":"p1363""#))
        } else {
            // Another version's key, longer than the signature's own.
            params.append(subject.params(signature, more: #","keyVersion":1"#))
            params.append(subject.params(signature, prefix: "ncpkms:v1:"))
        }
        try await expect(false, params)
    }

    @Test func `a signature of another algorithm or another key is not valid`() async throws {
        let keys = try await TestKeys.shared.value
        var params: [String] = []
        let rsaAlgorithms = SignatureAlgorithm.allCases.filter { !$0.rawValue.hasPrefix("ES") }
        for signing in rsaAlgorithms {
            let signature = try await keys.rsa.sign(Self.message, algorithm: signing.rawValue)
            for checking in rsaAlgorithms where checking != signing {
                params.append(try await Subject(checking).params(signature))
            }
            let other = try await keys.otherRSA.sign(Self.message, algorithm: signing.rawValue)
            params.append(try await Subject(signing).params(other))
        }
        try await expect(false, params)
    }

    @Test func `an algorithm that does not fit the key is -32602`() async throws {
        var params: [String] = []
        for keyTag in ["rsa", "ec", "p384", "p521", "k1"] {
            for algorithm in SignatureAlgorithm.allCases {
                let fits =
                    switch keyTag {
                    case "rsa": !algorithm.rawValue.hasPrefix("ES")
                    case "ec": algorithm == .es256
                    case "p384": algorithm == .es384
                    case "p521": algorithm == .es512
                    default: false
                    }
                guard !fits else { continue }
                params.append(
                    #"{"keyTag":"\#(keyTag)","algorithm":"\#(algorithm.rawValue)","data":"","signature":"AAAA"}"#)
            }
        }
        #expect(params.count == 36)
        for answer in try await Self.kms.value.answers(to: "verifySignature", params) {
            #expect(answer.errorCode == -32602, "\(answer.text)")
            #expect(answer.errorParameter == "algorithm")
            #expect(answer["error"]?["data"]?["type"]?.string == "InvalidParams")
        }
    }

    @Test func `the result has its members in order`() async throws {
        let keys = try await TestKeys.shared.value
        let signature = try await keys.rsa.sign(Self.message, algorithm: "RS256")
        let subject = try await Subject(.rs256)
        let pin = try PublicKey(pem: Array(keys.rsa.publicKey.utf8)).spkiSHA256
        let answers = try await Self.kms.value.answers(
            to: "verifySignature",
            [
                subject.params(signature, more: #","maxAgeMs":0"#),
                subject.params(signature, prefix: "ncpkms:v2:", more: #","maxAgeMs":0"#),
                subject.params([1], more: #","maxAgeMs":0"#),
            ])
        #expect(
            answers.map { $0["result"]?.text } == [
                #"{"valid":true,"keyVersion":null,"spkiSha256":"\#(pin)","source":"kms"}"#,
                #"{"valid":true,"keyVersion":2,"spkiSha256":"\#(pin)","source":"kms"}"#,
                #"{"valid":false,"keyVersion":null,"spkiSha256":"\#(pin)","source":"kms"}"#,
            ])
    }

    @Test func `errors of parameters and of the service`() async throws {
        let answers = try await Self.kms.value.answers(
            to: "verifySignature",
            [
                #"["rsa"]"#,
                #"{"keyTag":"rsa","algorithm":"RS256","signature":""}"#,
                #"{"keyTag":"rsa","algorithm":"RS256","data":"!","signature":""}"#,
                #"{"keyTag":"rsa","algorithm":"RS256","data":"","signature":"ncpkms:v2:","keyVersion":1}"#,
                #"{"keyTag":"none","algorithm":"RS256","data":"","signature":""}"#,
                #"{"keyTag":"rsa","algorithm":"RS256","data":"","signature":"","keyVersion":9}"#,
            ])
        #expect(answers.map(\.errorCode) == [-32602, -32602, -32602, -32602, 1004, 1005])
        #expect(answers.map(\.errorParameter) == [nil, "data", "data", "signature", nil, nil])
        #expect(answers[4]["error"]?["data"]?["keyTag"]?.string == "none")
    }

    @Test func `after a rotation a new signature is valid, and wrong ones take no further requests`() async throws {
        let keys = try await TestKeys.shared.value
        func seed(_ pair: OpenSSLKeyPair) -> Seed { Seed(keys: [Seed.Key("rotated", .rsa2048, [pair.publicKey])]) }
        func call(_ id: Int, _ signature: [UInt8]) -> String {
            #"{"jsonrpc":"2.0","id":\#(id),"method":"verifySignature","params":{"keyTag":"rotated","#
                + #""algorithm":"RS256","data":"\#(Base64.encode(Self.message))","#
                + #""signature":"\#(Base64.encode(signature))"}}"#
        }
        let old = try await keys.rsa.sign(Self.message, algorithm: "RS256")
        let new = try await keys.otherRSA.sign(Self.message, algorithm: "RS256")
        let kms = try EmulatedKMS(seed: seed(keys.rsa))
        let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
            var results: [String?] = []
            func verify(_ signature: [UInt8]) async throws {
                try process.send(call(results.count, signature))
                let answer = try JSONValue(parsing: await process.nextLine() ?? "")
                let result = answer["result"]
                results.append("\(result?["valid"]?.bool ?? false) \(result?["source"]?.string ?? answer.text)")
            }
            try await verify(old)
            try await verify(old)
            kms.emulator.setSeed(seed(keys.otherRSA))
            try await verify(new)
            for _ in 0..<3 { try await verify(old) }
            return results
        }
        #expect(
            outcome.result == ["true kms", "true cache", "true kms", "false cache", "false cache", "false cache"])
        #expect(kms.emulator.state.perKey["rotated"] == 2)
    }

    @Test func `a call is cancelled and one that waits too long ends`() async throws {
        let kms = try EmulatedKMS(faults: ["hang"])
        let params = #"{"keyTag":"demo-rsa","algorithm":"RS256","data":"","signature":"AAAA","timeoutMs":"#
        let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
            try process.send(#"{"jsonrpc":"2.0","id":1,"method":"verifySignature","params":\#(params)300000}}"#)
            try process.send(#"{"jsonrpc":"2.0","id":2,"method":"verifySignature","params":\#(params)1}}"#)
            let late = await process.nextLine()
            try process.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#)
            let cancelled = await process.nextLine()
            return try [late, cancelled].map { try JSONValue(parsing: $0 ?? "") }
        }
        #expect(outcome.result.map(\.errorCode) == [1009, -32800])
        #expect(outcome.status == 0)
    }

    /// A notification is verified for nobody; it must not stop the end.
    @Test func `a notification has no answer`() async throws {
        let kms = try await Self.kms.value
        let params = #"{"keyTag":"rsa","algorithm":"RS256","data":"","signature":"AAAA"}"#
        let outcome = try await ServiceProcess.answers(
            to: #"{"jsonrpc":"2.0","method":"verifySignature","params":\#(params)}"#, environment: kms.environment)
        #expect(outcome.result == [])
        #expect(outcome.status == 0)
    }
}
