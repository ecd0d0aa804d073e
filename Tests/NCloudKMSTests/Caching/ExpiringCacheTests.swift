import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct ExpiringCacheTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private let key: CacheKey

    init() throws {
        key = try Self.key("a")
    }

    private static func key(
        _ tag: String, version: Int? = nil, secret: String = "s"
    ) throws -> CacheKey {
        let version = try version.map { number throws(InvalidValue) in try KeyVersion(number) }
        let credentials = try Credentials(accessKeyID: "AK", secretAccessKey: SecretBytes(secret.utf8))
        return CacheKey(PublicKeyRequest(keyTag: try KeyTag(tag), version: version), credentials.identity)
    }

    private func cache(ttl: Duration = .seconds(300), stale: Duration = .zero) -> ExpiringCache<String> {
        ExpiringCache(timeToLive: ttl, staleIfError: stale)
    }

    private func hit(
        _ cache: inout ExpiringCache<String>, _ key: CacheKey, maximumAge: Duration? = nil, at now: Instant
    ) -> String? {
        guard case .hit(let value, _, _) = cache.lookUp(key, maximumAge: maximumAge, now: now) else { return nil }
        return value
    }

    @Test func `an entry answers until it is as old as the time to live`() throws {
        var cache = cache()
        #expect(hit(&cache, key, at: start) == nil)
        cache.store("K", for: key, fetchStart: start)
        guard case .hit("K", let age, false) = cache.lookUp(key, maximumAge: nil, now: start + .seconds(7)) else {
            Issue.record("no hit")
            return
        }
        #expect(age == .seconds(7))
        #expect(hit(&cache, key, at: start + .seconds(300)) == "K")
        #expect(cache.count == 1)
        #expect(hit(&cache, key, at: start + .seconds(300) + .nanoseconds(1)) == nil)
        #expect(cache.count == 0)
        #expect(cache.counters.hits == 2)
        #expect(cache.counters.misses == 2)
    }

    @Test func `a look for a value that is not there is no miss, and one for what is there is a hit`() {
        var cache = cache()
        cache.store("K", for: key, fetchStart: start)
        for (wanted, now) in [("other", start), ("K", start + .seconds(301))] {
            guard case .miss = cache.lookUp(key, maximumAge: nil, now: now, where: { $0 == wanted }) else {
                Issue.record("\(wanted) was found")
                return
            }
        }
        #expect(cache.counters == ExpiringCache<String>.Counters())
        cache.store("K", for: key, fetchStart: start)
        guard case .hit = cache.lookUp(key, maximumAge: nil, now: start, where: { $0 == "K" }) else {
            Issue.record("no hit")
            return
        }
        #expect(cache.counters.hits == 1)
    }

    static let ages: [(Duration?, Bool)] = [
        (nil, true), (.seconds(10), true), (.seconds(9), false), (.zero, false), (.seconds(100_000), true),
    ]

    @Test(arguments: ages)
    func `a call's own limit is kept`(maximumAge: Duration?, isHit: Bool) {
        var cache = cache()
        cache.store("K", for: key, fetchStart: start)
        #expect((hit(&cache, key, maximumAge: maximumAge, at: start + .seconds(10)) != nil) == isHit)
        // The entry stays for calls that are content with it.
        #expect(hit(&cache, key, at: start + .seconds(10)) == "K")
    }

    @Test func `a limit of zero is never answered from the cache`() {
        var cache = cache()
        cache.store("K", for: key, fetchStart: start)
        #expect(hit(&cache, key, maximumAge: .zero, at: start) == nil)
    }

    @Test func `a call's limit does not stretch the time to live`() {
        var cache = cache(stale: .seconds(1_000))
        cache.store("K", for: key, fetchStart: start)
        #expect(hit(&cache, key, maximumAge: .seconds(1_000), at: start + .seconds(301)) == nil)
    }

    @Test func `every part of the key tells entries apart`() throws {
        var cache = cache()
        let keys = [
            key, try Self.key("b"), try Self.key("a", version: 1), try Self.key("a", version: 2),
            try Self.key("a", secret: "other"),
        ]
        for (index, key) in keys.enumerated() { cache.store("\(index)", for: key, fetchStart: start) }
        for (index, key) in keys.enumerated() { #expect(hit(&cache, key, at: start) == "\(index)") }
    }

    @Test func `a hit in the last tenth asks for one refresh`() {
        var cache = cache()
        cache.store("K", for: key, fetchStart: start)
        func isRefreshDue(_ seconds: Int64) -> Bool? {
            guard case .hit(_, _, let isDue) = cache.lookUp(key, maximumAge: nil, now: start + .seconds(seconds)) else {
                return nil
            }
            return isDue
        }
        #expect(isRefreshDue(270) == false)
        #expect(isRefreshDue(271) == true)
        #expect(isRefreshDue(280) == false)
        // A failed refresh changes nothing.
        cache.fetchFailed(.serviceUnavailable, for: key, fetchStart: start + .seconds(271))
        #expect(isRefreshDue(290) == false)
        // A new entry has a refresh of its own.
        cache.store("K2", for: key, fetchStart: start + .seconds(291))
        #expect(isRefreshDue(300) == false)
        #expect(isRefreshDue(291 + 299) == true)
    }

    static let codes: [(KMSError.Code, Bool)] = KMSError.Code.allCases.map {
        ($0, [.rateLimited, .serviceUnavailable, .deadlineExceeded].contains($0))
    }

    @Test(arguments: codes)
    func `an expired entry stands in when the service can't be asked, and only then`(
        code: KMSError.Code, standsIn: Bool
    ) throws {
        var cache = cache(stale: .seconds(60))
        cache.store("K", for: key, fetchStart: start)
        let now = start + .seconds(360)
        #expect(hit(&cache, key, at: now) == nil)
        let found = cache.standIn(for: code, key, maximumAge: nil, now: now)
        #expect((found?.value == "K") == standsIn)
        #expect(found.map { $0.age == .seconds(360) } ?? !standsIn)
        #expect(cache.counters.stale == (standsIn ? 1 : 0))
        #expect(cache.standIn(for: code, key, maximumAge: .seconds(300), now: now) == nil)
        #expect(cache.standIn(for: code, key, maximumAge: nil, now: now + .nanoseconds(1)) == nil)
    }

    @Test func `nothing stands in unless it is turned on`() {
        var cache = cache()
        cache.store("K", for: key, fetchStart: start)
        #expect(cache.standIn(for: .serviceUnavailable, key, maximumAge: nil, now: start) == nil)
    }

    static let evictions: [(KMSError.Code, Bool)] = KMSError.Code.allCases.map {
        ($0, $0 == .keyNotFound || $0 == .keyUnusable)
    }

    @Test(arguments: evictions)
    func `only a key that is gone or unusable is evicted`(code: KMSError.Code, isEvicted: Bool) {
        var cache = cache()
        cache.store("K", for: key, fetchStart: start)
        cache.fetchFailed(code, for: key, fetchStart: start + .seconds(1))
        #expect((hit(&cache, key, at: start + .seconds(2)) == nil) == isEvicted)
    }

    @Test func `an older fetch neither overwrites nor evicts a newer entry`() {
        var cache = cache()
        cache.store("new", for: key, fetchStart: start + .seconds(2))
        cache.store("old", for: key, fetchStart: start + .seconds(1))
        cache.fetchFailed(.keyNotFound, for: key, fetchStart: start + .seconds(1))
        #expect(hit(&cache, key, at: start + .seconds(3)) == "new")
        cache.store("newer", for: key, fetchStart: start + .seconds(3))
        #expect(hit(&cache, key, at: start + .seconds(3)) == "newer")
    }

    @Test func `a time to live of zero keeps nothing`() {
        var cache = cache(ttl: .zero, stale: .seconds(60))
        cache.store("K", for: key, fetchStart: start)
        #expect(cache.count == 0)
        #expect(cache.standIn(for: .serviceUnavailable, key, maximumAge: nil, now: start) == nil)
    }

    @Test func `the least recently used entry goes first`() throws {
        var cache = cache()
        for index in 0..<1_024 { cache.store("\(index)", for: try Self.key("k\(index)"), fetchStart: start) }
        #expect(hit(&cache, try Self.key("k0"), at: start) == "0")
        cache.store("K", for: key, fetchStart: start)
        #expect(cache.count == 1_024)
        #expect(hit(&cache, try Self.key("k0"), at: start) == "0")
        #expect(hit(&cache, try Self.key("k1"), at: start) == nil)
    }
}
