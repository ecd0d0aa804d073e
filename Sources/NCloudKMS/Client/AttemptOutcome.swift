import KMSPublicKeys

/// The outcome of one attempt, as far as the fetch needs it.
struct AttemptOutcome {
    let result: Result<PublicKey, AttemptFailure>
    /// The response, whatever its status; nil if there was none.
    let response: HTTPResponse?
}

/// Why an attempt did not yield a key.
struct AttemptFailure: Error {
    let error: KMSError
    let repetition: Repetition
    var needsNewConnection = false
    /// Whether the process had no descriptor left for it, so that no request was sent.
    var hadNoDescriptor = false
}

/// Whether a failed request may be sent again, and how.
package enum Repetition: Equatable, Sendable {
    case never
    /// Once, if the clock turns out to be skewed, or if there are new credentials.
    case afterReauthentication
    /// After a delay, within the limit of attempts and the retry quota.
    case afterBackoff
    /// After a longer delay; such attempts are not counted.
    case afterThrottling
    /// Once, after a delay: the answer itself was damaged.
    case once
}

extension AttemptOutcome {
    /// - Parameters:
    ///   - sent: the credentials of the request, which no message may repeat.
    init(_ transfer: Result<HTTPResponse, TransportFailure>, to sent: SentCredentials, _ memo: inout PublicKeyMemo) {
        switch transfer {
        case .failure(let failure):
            self.init(failure)
        case .success(var response):
            // The request id is shown as received.
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
