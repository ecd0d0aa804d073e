import Platform

/// The service itself: what it answers to a request, faults and latency aside.
struct KeyService: Sendable {
    /// The request's body.
    enum Body: Equatable {
        case bytes([UInt8])
        /// Longer than `maximumBodyBytes`; nobody kept it.
        case tooLarge
    }

    /// An answer, and what is counted about it.
    struct Reply: Equatable {
        var answer: Answer
        var isAuthenticationFailure = false
        var isThrottled = false
    }

    /// More than any operation of the API takes (8 KiB of data in Base64).
    static let maximumBodyBytes = 64 << 10

    let directory: Directory

    /// The checks come in this order: path, method, size, credentials, permission, key, throttle, body.
    ///
    /// - Parameters:
    ///   - wallClockMilliseconds: the service's clock, milliseconds since 1970.
    ///   - admits: counts a request for a known key and says whether the throttle lets it pass.
    func reply(
        to head: RequestHead, route: Route, body: Body, wallClockMilliseconds: Int64, admits: (String) -> Bool
    ) -> Reply {
        guard case .getPublicKey(let keyTag) = route else {
            return Reply(answer: Refusal.Gateway.notFound.answer(details: "No such path."))
        }
        guard head.method == "POST" else {
            // The gateway's table has no row for 405; the status says it all.
            var answer = Refusal.Gateway.badRequest.answer(details: "The method must be POST.")
            answer.status = 405
            answer.headers = [Answer.Header("Allow", "POST")]
            return Reply(answer: answer)
        }
        guard case .bytes(let bytes) = body else {
            return Reply(answer: Refusal.Gateway.entityTooLarge.answer(details: "The body is too large."))
        }
        do {
            let caller = try directory.authenticator.caller(of: head, wallClockMilliseconds: wallClockMilliseconds)
            guard caller.mayGetPublicKey(of: keyTag) else {
                return Reply(answer: Refusal.Gateway.permissionDenied.answer(details: "No permission for this key."))
            }
        } catch {
            let answer = Refusal.Gateway.authenticationFailed.answer(details: error.details)
            return Reply(answer: answer, isAuthenticationFailure: true)
        }
        guard let key = directory[keyTag] else {
            return Reply(answer: Refusal.Gateway.notFound.answer(details: "No such key."))
        }
        guard admits(keyTag) else {
            let answer = Refusal.Gateway.throttleLimited.answer(details: "Too many requests for this key.")
            return Reply(answer: answer, isThrottled: true)
        }
        return Reply(answer: key.rawAnswer ?? Self.answer(for: key, body: bytes))
    }

    private static func answer(for key: KeyEntry, body: [UInt8]) -> Answer {
        do {
            return key.answer(version: try GetPublicKeyBody.version(in: body))
        } catch {
            switch error {
            case .syntax(let text): return Refusal.Gateway.badRequest.answer(details: "The body is no JSON: \(text).")
            case .invalid: return Refusal.Service.invalidRequest.answer
            }
        }
    }
}
