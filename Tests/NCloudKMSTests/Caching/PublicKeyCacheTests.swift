import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite struct PublicKeyCacheTests {
    private var cache: PublicKeyCache
    private let query: PublicKeyQuery
    private let fetched: FetchedKey
    private let identity: CredentialIdentity
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private var now: Instant { start + .seconds(1) }

    init() async throws {
        cache = PublicKeyCache(try KMSClientConfiguration())
        query = PublicKeyQuery(keyTag: try KeyTag("k"))
        let key = try PublicKey(pem: Array(try await OpenSSLKeyPair.ec("P-256").publicKey.utf8))
        fetched = FetchedKey(key: key, attempts: 1, requestID: nil)
        identity = try Credentials(accessKeyID: "id", secretAccessKey: SecretBytes("secret".utf8)).identity
        cache.use(identity)
        store(fetched)
    }

    private mutating func store(_ fetched: FetchedKey) {
        cache.store(fetched, for: CacheKey(query.request, identity), fetchStart: start)
    }

    @Test mutating func `the age of a fetched key is told as long as the cache has it`() {
        #expect(cache.age(of: fetched, for: query, arrival: now)?.age == .seconds(1))
        #expect(cache.status(coalesced: 0).hits == 1)
    }

    @Test mutating func `another fetch's answer is no hit and no miss`() {
        store(FetchedKey(key: fetched.key, attempts: 1, requestID: nil))
        #expect(cache.age(of: fetched, for: query, arrival: now) == nil)
        #expect(cache.status(coalesced: 0).hits == 0)
        #expect(cache.status(coalesced: 0).misses == 0)
    }

    @Test mutating func `an answer to other credentials is not used`() throws {
        cache.use(try Credentials(accessKeyID: "id", secretAccessKey: SecretBytes("other".utf8)).identity)
        #expect(cache.age(of: fetched, for: query, arrival: now) == nil)
    }
}
