import KMSJSON
import KMSPlatform

/// The service itself: its answer to a request, without faults and latency.
///
/// It is a seed prepared for look-ups, and immutable: a new seed needs a new service.
struct KeyService: Sendable {
    /// The body of a request.
    enum Body: Equatable {
        case bytes([UInt8])
        /// Longer than `maximumBodyBytes`, and dropped.
        case tooLarge
    }

    /// An answer, and what to count about it.
    struct Reply: Equatable {
        var answer: Answer
        var isAuthenticationFailure = false
        var isThrottled = false
    }

    /// More than any operation of the API needs (8 KiB of data in Base64).
    static let maximumBodyBytes = 64 << 10

    private let authenticator: Authenticator
    private let keys: [String: ServedKey]

    init(_ seed: Seed) {
        authenticator = Authenticator(accessKeys: seed.accessKeys, tokens: seed.tokens)
        keys = Dictionary(seed.keys.map { ($0.keyTag, ServedKey($0)) }) { first, _ in first }
    }

    /// Answers a request. The checks are, in this order: path, method, size, credentials, permission, key, throttle,
    /// body.
    ///
    /// - Parameters:
    ///   - wallClockMilliseconds: the service's clock, in milliseconds since 1970.
    ///   - admits: counts a request for a known key, and returns whether it is within the throttle's limit.
    func reply(
        to head: RequestHead, route: Route, body: Body, wallClockMilliseconds: Int64, admits: (String) -> Bool
    ) -> Reply {
        guard case .getPublicKey(let keyTag) = route else {
            return Reply(answer: Refusal.Gateway.notFound.answer(details: "No such path."))
        }
        guard head.method == "POST" else {
            // The gateway's table has no row for 405; the status is enough.
            var answer = Refusal.Gateway.badRequest.answer(details: "The method must be POST.")
            answer.status = 405
            answer.headers = [Answer.Header("Allow", "POST")]
            return Reply(answer: answer)
        }
        guard case .bytes(let bytes) = body else {
            return Reply(answer: Refusal.Gateway.entityTooLarge.answer(details: "The body is too large."))
        }
        do {
            let caller = try authenticator.caller(of: head, wallClockMilliseconds: wallClockMilliseconds)
            guard caller.mayGetPublicKey(of: keyTag) else {
                return Reply(answer: Refusal.Gateway.permissionDenied.answer(details: "No permission for this key."))
            }
        } catch {
            let answer = Refusal.Gateway.authenticationFailed.answer(details: error.details)
            return Reply(answer: answer, isAuthenticationFailure: true)
        }
        guard let key = keys[keyTag] else {
            return Reply(answer: Refusal.Gateway.notFound.answer(details: "No such key."))
        }
        guard admits(keyTag) else {
            let answer = Refusal.Gateway.throttleLimited.answer(details: "Too many requests for this key.")
            return Reply(answer: answer, isThrottled: true)
        }
        return Reply(answer: key.rawAnswer ?? Self.answer(for: key, body: bytes))
    }

    private static func answer(for key: ServedKey, body: [UInt8]) -> Answer {
        do {
            return key.answer(version: try GetPublicKeyBody.version(in: body))
        } catch {
            switch error {
            case .syntax(let text):
                return Refusal.Gateway.badRequest.answer(details: "The body is not valid JSON: \(text).")
            case .invalid: return Refusal.Service.invalidRequest.answer
            }
        }
    }
}

/// The body of a get-pub-key request.
enum GetPublicKeyBody {
    /// The range in NAVER's API guide.
    static let versions = 1...100

    enum Failure: Error, Equatable {
        /// Not JSON: the gateway refuses it (400 with code 100).
        case syntax(String)
        /// JSON, but not valid for the operation: the service refuses it (`INVALID_REQUEST`).
        case invalid
    }

    /// The requested version; nil for the latest. An absent or empty body and `{}` mean the latest.
    static func version(in body: [UInt8]) throws(Failure) -> Int? {
        // The usual body of a request for the latest version.
        if body.isEmpty || body == [UInt8(ascii: "{"), UInt8(ascii: "}")] { return nil }
        let value: JSONValue
        do { value = try JSONValue(parsing: body) } catch { throw .syntax(error.description) }
        guard value.kind == .object else { throw .invalid }
        guard let version = value["keyVersion"] else { return nil }
        guard let number = version.integer, versions.contains(number) else { throw .invalid }
        return number
    }
}

/// One key, with its answers built in advance.
private struct ServedKey: Sendable {
    /// The seed's answer to every request for the key, if it has one.
    let rawAnswer: Answer?
    private let isServed: Bool
    private let newestVersion: Int?
    private let answers: [Int: Answer]
    private let rawAnswers: [Int: Answer]

    init(_ key: Seed.Key) {
        rawAnswer = key.rawAnswer
        isServed = key.status == .enabled && key.keyType != .aes256
        newestVersion = key.versions.map(\.number).max()
        rawAnswers = Dictionary(
            key.versions.compactMap { version in version.rawAnswer.map { (version.number, $0) } },
            uniquingKeysWith: { first, _ in first })
        answers = Dictionary(
            key.versions.map { version in (version.number, Self.answer(for: version)) },
            uniquingKeysWith: { first, _ in first })
    }

    private static func answer(for version: Seed.Version) -> Answer {
        guard version.status == .enabled, let publicKey = version.publicKey else {
            return Refusal.Service.unprocessableEntity.answer
        }
        return .success(publicKey: publicKey)
    }

    /// The answer for a version; nil means the latest, **whatever its state**. NAVER's API guide says that a request
    /// without a version means the most recent one, and that a disabled version can't be retrieved: so if the latest is
    /// disabled, a request without a version is refused and does not fall back to an older one.
    func answer(version: Int?) -> Answer {
        guard let number = version ?? newestVersion else { return Refusal.Service.unprocessableEntity.answer }
        // Whatever the key's type and state.
        if let rawAnswer = rawAnswers[number] { return rawAnswer }
        guard isServed, let answer = answers[number] else { return Refusal.Service.unprocessableEntity.answer }
        return answer
    }
}
