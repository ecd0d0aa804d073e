import CKMSOpenSSL
import KMSPublicKeys
import Testing

let message = Array("a message that was signed".utf8)

@Suite struct VerificationTests {
    @Test(arguments: SignatureAlgorithm.allCases)
    func `a signature by OpenSSL is valid over the message and over its digest`(algorithm: SignatureAlgorithm) throws {
        let pair = try algorithm.newKeyPair()
        let key = try PublicKey(pair)
        for text in [message, [], [UInt8](repeating: 7, count: 100_000)] {
            let signature = try pair.sign(text, algorithm)
            #expect(try key.verify(signature: signature, algorithm: algorithm, message: .data(text)))
            let digest = algorithm.hash.digest(of: text)
            #expect(try key.verify(signature: signature, algorithm: algorithm, message: .digest(digest)))
            #expect(try !key.verify(signature: signature, algorithm: algorithm, message: .data(text + [0])))
        }
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func `a damaged signature is not valid and leaves no error behind`(algorithm: SignatureAlgorithm) throws {
        let pair = try algorithm.newKeyPair()
        let key = try PublicKey(pair)
        let good = try pair.sign(message, algorithm)
        var bad: [[UInt8]] = [[], [0], [0x30], good + [0], [0] + good, good + good, good.reversed()]
        bad += [[UInt8](repeating: 0, count: good.count), [UInt8](repeating: 0xFF, count: good.count)]
        bad += (1..<good.count).map { Array(good.prefix($0)) }
        bad.append(Array(good.dropFirst()))
        for index in good.indices {
            var flipped = good
            flipped[index] ^= 1 << UInt8(index % 8)
            bad.append(flipped)
        }
        // The queue is the thread's, and other tests had it before.
        ERR_clear_error()
        for signature in bad {
            #expect(try !key.verify(signature: signature, algorithm: algorithm, message: .data(message)))
            #expect(ERR_peek_error() == 0)
        }
        #expect(try key.verify(signature: good, algorithm: algorithm, message: .data(message)))
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func `a signature of another key is not valid`(algorithm: SignatureAlgorithm) throws {
        let signature = try algorithm.newKeyPair().sign(message, algorithm)
        let other = try algorithm.isRSA ? KeyPair.rsa(bits: 2_048) : algorithm.newKeyPair()
        #expect(try !PublicKey(other).verify(signature: signature, algorithm: algorithm, message: .data(message)))
    }

    @Test(arguments: SignatureAlgorithm.allCases.filter(\.isRSA))
    func `a signature of another RSA algorithm is not valid`(algorithm: SignatureAlgorithm) throws {
        let pair = try KeyPair.rsa2048.get()
        let key = try PublicKey(pair)
        let signature = try pair.sign(message, algorithm)
        for other in SignatureAlgorithm.allCases where other.isRSA && other != algorithm {
            #expect(try !key.verify(signature: signature, algorithm: other, message: .data(message)))
        }
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func `an algorithm that does not fit the key is an error`(algorithm: SignatureAlgorithm) throws {
        let keys = try [PublicKey(KeyPair.rsa2048.get())] + Curve.allCases.map { try PublicKey(KeyPair.ec($0)) }
        for key in keys {
            let curve: Curve? = [.es256: .p256, .es384: .p384, .es512: .p521][algorithm]
            let fits = algorithm.isRSA ? key.keyType == .rsa : key.curve == curve
            #expect(algorithm.fits(key) == fits)
            guard !fits else { continue }
            let reason = VerificationError.algorithmDoesNotFitKey(algorithm, keyType: key.keyType, curve: key.curve)
            #expect(throws: reason) { try key.verify(signature: [], algorithm: algorithm, message: .data([])) }
        }
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func `a digest of another length is an error`(algorithm: SignatureAlgorithm) throws {
        let key = try PublicKey(algorithm.newKeyPair())
        for count in [0, 20, 31, 32, 33, 47, 48, 64, 65] where count != algorithm.digestCount {
            #expect(throws: VerificationError.wrongDigestLength(algorithm, count: count)) {
                let digest = [UInt8](repeating: 0, count: count)
                return try key.verify(signature: [], algorithm: algorithm, message: .digest(digest))
            }
        }
    }

    @Test func `one key verifies on many threads at once`() async throws {
        let pair = try KeyPair.ec(.p256)
        let key = try PublicKey(pair)
        let signature = try pair.sign(message, .es256)
        let verdicts = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<64 {
                let signature = index % 2 == 0 ? signature : signature.dropLast()
                group.addTask { try key.verify(signature: signature, algorithm: .es256, message: .data(message)) }
            }
            return try await group.reduce(into: [false: 0, true: 0]) { $0[$1, default: 0] += 1 }
        }
        #expect(verdicts == [false: 32, true: 32])
    }
}
