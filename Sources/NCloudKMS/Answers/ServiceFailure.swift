/// What an answer that brings no key means: which error it is, and whether the request may be repeated.
package struct ServiceFailure: Equatable, Sendable {
    /// Whether the same request may be sent again, and how.
    package enum Repetition: Equatable, Sendable {
        case never
        /// Once, if the clock turns out to be skewed or the credentials have changed since.
        case afterReauthentication
        /// After a delay, within the attempts and the retry quota.
        case afterBackoff
        /// After a longer delay; such attempts are not counted.
        case afterThrottling
        /// Once, after a delay: the answer itself was damaged.
        case once
    }

    package let code: KMSError.Code
    package let repetition: Repetition
    package let httpStatus: Int
    /// The service's own code, as text even where it sent a number; capped.
    package let kmsCode: String?
    /// The service's own words; capped.
    package let kmsMessage: String?
    /// What a 1010 did not find in the answer, as the end of a sentence.
    package let detail: String?

    package var error: KMSError {
        var error = KMSError.service(code, status: httpStatus, detail: detail)
        error.kmsCode = kmsCode
        error.kmsMessage = kmsMessage
        return error
    }
}
