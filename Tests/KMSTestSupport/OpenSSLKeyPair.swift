import Subprocess

/// A key pair made by the `openssl` program, and its signatures: an implementation that is not ours.
package struct OpenSSLKeyPair: Sendable {
    /// The program failed with this text.
    package struct Failure: Error {
        package let text: String
    }

    /// PEM, `PRIVATE KEY`.
    package let privateKey: String
    /// PEM, `PUBLIC KEY`.
    package let publicKey: String

    package static func rsa(bits: Int) async throws -> OpenSSLKeyPair {
        try await OpenSSLKeyPair(["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:\(bits)"])
    }

    /// On the curve that OpenSSL knows by this name.
    package static func ec(_ curve: String) async throws -> OpenSSLKeyPair {
        try await OpenSSLKeyPair(["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:\(curve)"])
    }

    private init(_ options: [String]) async throws {
        privateKey = String(decoding: try await Self.openssl(["genpkey"] + options), as: UTF8.self)
        publicKey = String(
            decoding: try await Self.openssl(["pkey", "-pubout"], input: Array(privateKey.utf8)), as: UTF8.self)
    }

    /// - Parameters:
    ///   - algorithm: a name of RFC 7518, `RS256` to `ES512`.
    ///   - saltLength: of PSS, in bytes, or a word of OpenSSL's.
    package func sign(
        _ message: [UInt8], algorithm: String, saltLength: String = "digest"
    ) async throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        try directory.write(privateKey, to: "key.pem")
        var options = ["dgst", "-sha\(algorithm.suffix(3))", "-sign", directory.path("key.pem")]
        if algorithm.hasPrefix("PS") {
            options += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:\(saltLength)"]
        }
        return try await Self.openssl(options, input: message)
    }

    /// A digest of any bytes by SHA-256, SHA-384 or SHA-512.
    package static func digest(_ message: [UInt8], bits: Int) async throws -> [UInt8] {
        try await openssl(["dgst", "-sha\(bits)", "-binary"], input: message)
    }

    /// The two numbers of a DER ECDSA signature, one after the other, each `width` bytes long.
    package static func p1363(_ der: [UInt8], width: Int) -> [UInt8] {
        // Elements are shorter than 128 bytes; the sequence around them may be longer, on P-521.
        var rest = der[(der[1] == 0x81 ? 3 : 2)...]
        var numbers: [UInt8] = []
        while rest.count > 2 {
            let number = rest.dropFirst(2).prefix(Int(rest[rest.startIndex + 1]))
            let digits = number.drop { $0 == 0 }
            numbers += [UInt8](repeating: 0, count: width - digits.count) + digits
            rest = rest[number.endIndex...]
        }
        return numbers
    }

    private static func openssl(_ arguments: [String], input: [UInt8] = []) async throws -> [UInt8] {
        let run = try await Subprocess.run(
            .name("openssl"), arguments: Arguments(arguments), input: .array(input), output: .bytes(limit: 1 << 20),
            error: .string(limit: 1 << 20))
        guard run.terminationStatus.isSuccess else { throw Failure(text: run.standardError) }
        return run.standardOutput
    }
}
