import Platform
import PublicKeys
import TestSupport
import Testing

@testable import NCloudKMS

@Suite struct KeyCacheTests {
    private let cache: KeyCache
    private let query: PublicKeyQuery
    private let fetched: FetchedKey
    private let identity: CredentialIdentity
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private var now: Instant { start + .seconds(1) }

    init() async throws {
        cache = KeyCache(try KMSClientConfiguration())
        query = PublicKeyQuery(keyTag: try KeyTag("k"))
        let key = try PublicKey(pem: Array(try await OpenSSLKeyPair.ec("P-256").publicKey.utf8))
        fetched = FetchedKey(key: key, attempts: 1, requestID: nil)
        identity = try Credentials(accessKeyID: "id", secretAccessKey: SecretBytes("secret".utf8)).identity
        cache.use(identity)
        store(fetched)
    }

    private func store(_ fetched: FetchedKey) {
        cache.store(
            fetched, for: PublicKeyRequest(keyTag: query.keyTag, version: nil), identity,
            fetchStart: start)
    }

    @Test func `the age of a fetched key is told as long as the cache has it`() {
        #expect(cache.age(of: fetched, for: query, arrival: now)?.age == .seconds(1))
        #expect(cache.figures.counters.hits == 1)
    }

    @Test func `another fetch's answer is no hit and no miss`() {
        store(FetchedKey(key: fetched.key, attempts: 1, requestID: nil))
        #expect(cache.age(of: fetched, for: query, arrival: now) == nil)
        #expect(cache.figures.counters.hits == 0)
        #expect(cache.figures.counters.misses == 0)
    }

    @Test func `an answer to other credentials is not used`() throws {
        cache.use(try Credentials(accessKeyID: "id", secretAccessKey: SecretBytes("other".utf8)).identity)
        #expect(cache.age(of: fetched, for: query, arrival: now) == nil)
    }
}
