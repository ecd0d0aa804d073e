/// What an answer that brings no key means: which error it is, and whether the request may be repeated.
package struct ServiceFailure: Equatable, Sendable {
    package let code: KMSError.Code
    package let repetition: Repetition
    package let httpStatus: Int
    /// The service's own code, as text even where it sent a number; capped.
    package let kmsCode: String?
    /// The service's own words; capped.
    package let kmsMessage: String?
    /// The service's words held a private key or our credentials, so that they are not repeated.
    package let isTextWithheld: Bool
    /// What a 1010 did not find in the answer, as the end of a sentence.
    package let detail: String?

    package var error: KMSError {
        var error = KMSError.service(code, status: httpStatus, saysWhy: kmsMessage != nil, detail: detail)
        if isTextWithheld { error.message += " Its text is withheld: it holds a private key or credentials." }
        error.kmsCode = kmsCode
        error.kmsMessage = kmsMessage
        return error
    }
}
