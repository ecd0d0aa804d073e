import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct SharedEntryTests {
    private let request: PublicKeyRequest
    private let seal: SharedSeal
    private let entry: SharedEntry
    /// Made with Python's `hmac`.
    private static let line = "1 1700000000123 2 xqAC88IlGPLKenjZ3Bh0Z8v/njhPDSUIxyss41sTJzk= request-1\n"
    private static let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"

    init() throws {
        request = PublicKeyRequest(keyTag: try KeyTag("tag"), version: try KeyVersion(3))
        seal = try Self.seal()
        entry = SharedEntry(
            startedAt: 1_700_000_000_123, attempts: 2, requestID: "request-1", pem: Array(Self.pem.utf8))
    }

    private static func seal(
        _ secret: String = "correct horse battery staple", baseURL: String = "https://ocapi.ncloud.com"
    ) throws -> SharedSeal {
        try SharedSeal(secret: SecretBytes(secret), baseURL: baseURL)
    }

    private func rejection(of text: String, _ seal: SharedSeal? = nil) -> SharedEntry.Rejection? {
        do throws(SharedEntry.Rejection) {
            _ = try SharedEntry(Array(text.utf8), for: request, seal ?? self.seal)
            return nil
        } catch {
            return error
        }
    }

    @Test func `names and tags are the same for all implementations`() throws {
        #expect(seal.name(of: request) == "c4ca8c87374a8ffe31522971a2a51e27")
        #expect(
            seal.name(of: PublicKeyRequest(keyTag: request.keyTag, version: nil)) == "5af64b24cba038980c41e7a0b25ad11f")
        #expect(entry.text(for: request, seal) == Array((Self.line + Self.pem).utf8))
        #expect(try SharedEntry(Array((Self.line + Self.pem).utf8), for: request, seal) == entry)
        #expect(SharedKeyNames(prefix: "nkms", "00").entry == "nkms:1:k:{00}")
        #expect(SharedKeyNames(prefix: "nkms", "00").marker == "nkms:1:f:{00}")
    }

    @Test(arguments: [nil, "", "-", "a b", "a\nb", "é"] as [String?])
    func `a request id that has no place in an entry is left out`(requestID: String?) throws {
        let entry = SharedEntry(startedAt: 1, attempts: 1, requestID: requestID, pem: [65])
        let text = try #require(entry.text(for: request, seal))
        #expect(String(decoding: text, as: UTF8.self).hasSuffix(" -\nA"))
        #expect(try SharedEntry(text, for: request, seal).requestID == nil)
    }

    static let malformed: [String] = [
        "", "\n", "1", "x", line.replacing("\n", with: ""), line.replacing("1 17", with: "2 17"),
        line.replacing(" 2 ", with: " 02 "), line.replacing(" 2 ", with: " -2 "), line.replacing(" 2 ", with: " +2 "),
        line.replacing("1 17", with: "1  17"), line.replacing("request-1", with: "request 1"),
        line.replacing("=", with: ""), line.replacing("1700000000123", with: "99999999999999999999"),
    ]

    @Test(arguments: malformed)
    func `rejects what does not have the form`(line: String) {
        #expect(rejection(of: line + Self.pem) == .malformed)
    }

    static let altered: [(String, String)] = [
        ("1700000000123", "1700000000124"), (" 2 ", " 3 "), ("request-1", "request-2"), ("request-1", "-"),
        ("AAAA", "AAAB"), ("xqAC", "xqAD"), ("JUNK", ""), ("BEGIN", "BEGUN"),
    ]

    @Test(arguments: altered)
    func `rejects what was altered or cut`(old: String, new: String) {
        let text = Self.line + Self.pem
        let altered = old == "JUNK" ? String(text.dropLast()) : text.replacing(old, with: new)
        #expect(rejection(of: altered) == .wrongTag)
    }

    @Test func `rejects what was made for something else`() throws {
        let text = try #require(entry.text(for: request, seal))
        for other in [
            PublicKeyRequest(keyTag: try KeyTag("tag2"), version: request.version),
            PublicKeyRequest(keyTag: request.keyTag, version: nil),
            PublicKeyRequest(keyTag: request.keyTag, version: try KeyVersion(4)),
        ] {
            #expect(throws: SharedEntry.Rejection.wrongTag) { try SharedEntry(text, for: other, seal) }
        }
        #expect(rejection(of: Self.line + Self.pem, try Self.seal("another secret")) == .wrongTag)
        #expect(rejection(of: Self.line + Self.pem, try Self.seal(baseURL: "https://example.com")) == .wrongTag)
    }

    @Test func `an entry has at most 4 KiB`() throws {
        let fitting = SharedEntry.maximumBytes - Self.line.utf8.count
        for (count, fits) in [(fitting, true), (fitting + 1, false)] {
            let large = SharedEntry(
                startedAt: 1_700_000_000_123, attempts: 2, requestID: "request-1",
                pem: [UInt8](repeating: 65, count: count))
            #expect((large.text(for: request, seal) != nil) == fits)
        }
        #expect(rejection(of: String(repeating: "1", count: SharedEntry.maximumBytes + 1)) == .tooLarge)
    }

    /// Our clock minus the start, in milliseconds; the age, or why there is none.
    static let ages: [(Int64, Result<Duration, SharedEntry.Rejection>)] = [
        (0, .success(.zero)), (5_000, .success(.seconds(5))), (-2_000, .success(.seconds(-2))),
        (-2_001, .failure(.fromTheFuture)), (300_000, .success(.seconds(300))), (300_001, .failure(.aged)),
        (.min, .failure(.fromTheFuture)),
    ]

    @Test(arguments: ages)
    func `has an age by the service's clock`(
        difference: Int64, expected: Result<Duration, SharedEntry.Rejection>
    ) {
        let wallClock = entry.startedAt.addingReportingOverflow(difference).partialValue
        let age = Result { () throws(SharedEntry.Rejection) in
            try entry.age(wallClock: wallClock, timeToLive: .seconds(300))
        }
        #expect(age == expected)
    }

    @Test(arguments: [(Int64(3), Int64(5), true), (4, 5, false), (-2, 0, true), (-1, 0, false)])
    func `is used with two seconds to spare`(age: Int64, limit: Int64, expected: Bool) {
        #expect(SharedEntry.isYoungEnough(.seconds(age), for: .seconds(limit)) == expected)
    }
}
