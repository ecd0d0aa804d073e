import KMSPublicKeys

/// What came of one attempt, as far as the fetch needs to know.
struct AttemptOutcome {
    let result: Result<PublicKey, AttemptFailure>
    /// What came back, whatever it said; nil if nothing did.
    let response: HTTPResponse?
}

/// Why an attempt brought no key.
struct AttemptFailure: Error {
    let error: KMSError
    let repetition: Repetition
    var needsNewConnection = false
    /// The process had no descriptor left for it, so that no request was sent.
    var hadNoDescriptor = false
}

/// Whether a request that failed may be sent again, and how.
package enum Repetition: Equatable, Sendable {
    case never
    /// Once, if the clock turns out to be skewed or there are other credentials by now.
    case afterReauthentication
    /// After a delay, within the attempts and the retry quota.
    case afterBackoff
    /// After a longer delay; such attempts are not counted.
    case afterThrottling
    /// Once, after a delay: the answer itself was damaged.
    case once
}

extension AttemptOutcome {
    /// - Parameters:
    ///   - sent: what the request was authenticated with, which nothing that is shown may repeat.
    init(_ transfer: Result<HTTPResponse, TransportFailure>, to sent: SentCredentials, _ memo: inout PublicKeyMemo) {
        switch transfer {
        case .failure(let failure):
            self.init(failure)
        case .success(var response):
            // It is shown as it came.
            if let id = response.headers.requestID, sent.areRepeated(in: id) { response.headers.requestID = nil }
            self.init(result: Self.result(of: response, to: sent, &memo), response: response)
        }
    }

    private static func result(
        of response: HTTPResponse, to sent: SentCredentials, _ memo: inout PublicKeyMemo
    ) -> Result<PublicKey, AttemptFailure> {
        switch ServiceAnswer(status: response.status, body: response.body, to: sent) {
        case .publicKey(let pem):
            do throws(PublicKeyError) {
                return .success(try memo.key(forPEM: pem))
            } catch {
                return .failure(AttemptFailure(error: .invalidKey(error), repetition: .once))
            }
        case .failure(let failure):
            return .failure(AttemptFailure(error: failure.error, repetition: failure.repetition))
        }
    }

    init(_ failure: TransportFailure) {
        self.init(
            result: .failure(
                AttemptFailure(
                    error: KMSError(failure), repetition: failure.repetition,
                    needsNewConnection: failure.needsNewConnection, hadNoDescriptor: failure.kind == .noDescriptor)),
            response: nil)
    }
}
