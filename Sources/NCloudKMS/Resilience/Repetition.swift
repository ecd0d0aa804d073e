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
