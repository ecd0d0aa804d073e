import KMSJSON
import KMSPublicKeys
import Subprocess
import KMSTestSupport
import Testing

/// Many keys, read by us and by others, must come out the same. Each program runs once for all keys.
@Suite struct OtherImplementationsTests {
    static let python = Python(having: "cryptography")

    /// 500 that a fixed seed gives, 100 of each kind, and some whose numbers begin with zeros or with a one.
    static let keys = Result {
        var random = SeededGenerator(seed: 500)
        var keys: [PublicKey] = []
        for curve in Curve.allCases {
            let points = try SeededPoints(curve)
            for _ in 0..<100 { keys.append(try points.key(&random)) }
            keys.append(try points.keyThatBeginsWithZero(&random))
        }
        for number in 0..<100 {
            let pkcs1 = DER.rsaPKCS1(&random)
            let isSPKI = number % 2 == 0
            keys.append(
                try PublicKey(isSPKI ? pem("PUBLIC KEY", DER.rsaSPKI(pkcs1)) : pem("RSA PUBLIC KEY", pkcs1)))
        }
        let pairs = [try KeyPair.rsa2048.get(), try KeyPair.rsa3072.get()]
        keys += try pairs.map { try PublicKey($0) }
        for pair in pairs { keys.append(try PublicKey(pem("RSA PUBLIC KEY", pair.publicKeyBytes))) }
        // Exponents and moduli whose highest bit is set, and not, take a sign byte or none.
        for exponent in [[3], [0x80, 0, 1], [0xFF, 0xFF, 0xFF, 0xFF]] as [[UInt8]] {
            for bits in [2_048, 2_050, 2_055, 4_096] {
                let pkcs1 = DER.rsaPKCS1(modulus: DER.modulus(bits: bits), exponent: exponent)
                keys.append(try PublicKey(pem("PUBLIC KEY", DER.rsaSPKI(pkcs1))))
            }
        }
        return keys
    }

    private func output(
        of program: String, _ arguments: [String], input: String
    ) async throws -> String {
        let run = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), input: .string(input), output: .string(limit: 16 << 20),
            error: .string(limit: 1 << 20))
        #expect(run.terminationStatus.isSuccess, "\(program): \(run.standardError)")
        return run.standardOutput
    }

    @Test func `openssl writes the same PEM`() async throws {
        let keys = try Self.keys.get()
        let script = #"f=$(mktemp) && cat >"$f" && openssl storeutl "$f"; s=$?; rm -f "$f"; exit $s"#
        let input = keys.map { String(decoding: $0.pem, as: UTF8.self) }.joined()
        let text = try await output(of: "sh", ["-c", script], input: input)
        let lines = text.split(separator: "\n").filter { !$0.contains(": ") }
        #expect(lines.joined(separator: "\n") + "\n" == keys.map(\.spkiPEM).joined())
    }

    @Test func `openssl pkey -pubin reads and writes the same, one of each kind`() async throws {
        for key in try oneOfEachKind() {
            let text = try await output(of: "openssl", ["pkey", "-pubin", "-pubout"], input: key.spkiPEM)
            #expect(text == key.spkiPEM)
        }
    }

    @Test func `ssh-keygen prints the same fingerprints, sizes and comments`() async throws {
        let keys = try Self.keys.get().filter { $0.curve != .secp256k1 }
        let input = keys.enumerated().compactMap { $1.sshLine(comment: "key-\($0)") }.joined(separator: "\n") + "\n"
        let text = try await output(of: "ssh-keygen", ["-l", "-f", "-"], input: input)
        let expected = try keys.enumerated().map { index, key in
            let type = key.keyType == .rsa ? "RSA" : "ECDSA"
            return "\(key.keySize) \(try #require(key.sshFingerprint)) key-\(index) (\(type))"
        }
        #expect(text.split(separator: "\n").map(String.init) == expected)
    }

    @Test func `ssh-keygen -i converts a PEM to the same line, one of each kind`() async throws {
        for key in try oneOfEachKind() where key.curve != .secp256k1 {
            let text = try await output(
                of: "ssh-keygen", ["-i", "-m", "PKCS8", "-f", "/dev/stdin"], input: key.spkiPEM)
            #expect(text == key.sshLine(comment: "").map { $0 + "\n" })
        }
    }

    @Test(.enabled(if: python != nil, "Python's cryptography is not installed"))
    func `Python's cryptography agrees on every encoding`() async throws {
        let keys = try Self.keys.get()
        var json = JSONWriter()
        json.array { array in
            for key in keys { array.value(String(decoding: key.pem, as: UTF8.self)) }
        }
        let input = String(decoding: json.bytes, as: UTF8.self)
        let python = try #require(Self.python)
        let folder = try TemporaryDirectory()
        try folder.write(input, to: "keys.json")
        let text = try python.run(["-c", Self.pythonProgram, folder.path("keys.json")])
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        try #require(lines.count == keys.count)
        for (key, line) in zip(keys, lines) {
            var json = JSONWriter()
            json.array { array in
                array.value(key.keyType.rawValue)
                array.value(key.keySize)
                array.value(key.spkiPEM)
                array.value(key.pkcs1PEM)
                array.value(key.derBase64)
                array.value(key.spkiSHA256)
                array.value(key.sshLine(comment: ""))
                key.writeJWK(to: &array)
            }
            #expect(String(decoding: json.bytes, as: UTF8.self) == line)
        }
    }

    private func oneOfEachKind() throws -> [PublicKey] {
        let keys = try Self.keys.get()
        return [nil, .p256, .p384, .p521, .secp256k1].compactMap { curve in keys.first { $0.curve == curve } }
    }

    private static let pythonProgram = #"""
        import sys, json, base64, hashlib
        from cryptography.hazmat.primitives.serialization import load_pem_public_key, Encoding, PublicFormat
        from cryptography.hazmat.primitives.asymmetric import rsa

        def b64url(number, count):
            return base64.urlsafe_b64encode(number.to_bytes(count, "big")).rstrip(b"=").decode()

        for pem in json.load(open(sys.argv[1])):
            key = load_pem_public_key(pem.encode())
            numbers = key.public_numbers()
            der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            pkcs1 = None
            if isinstance(key, rsa.RSAPublicKey):
                kty = "RSA"
                n, e = numbers.n, numbers.e
                members = {"n": b64url(n, (n.bit_length() + 7) // 8), "e": b64url(e, (e.bit_length() + 7) // 8)}
                pkcs1 = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
            else:
                kty = "EC"
                names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
                count = (key.key_size + 7) // 8
                members = {"crv": names[key.curve.name], "x": b64url(numbers.x, count), "y": b64url(numbers.y, count)}
            required = json.dumps({"kty": kty, **members}, sort_keys=True, separators=(",", ":"))
            kid = base64.urlsafe_b64encode(hashlib.sha256(required.encode()).digest()).rstrip(b"=").decode()
            ssh = None
            if members.get("crv") != "secp256k1":
                ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
            print(json.dumps([
                kty, key.key_size, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), pkcs1,
                base64.b64encode(der).decode(), base64.b64encode(hashlib.sha256(der).digest()).decode(), ssh,
                {"kty": kty, "kid": kid, **members},
            ], separators=(",", ":")))
        """#
}
