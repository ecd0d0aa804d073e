import KMSPlatform
import Testing

/// What the tests can't ask of a program that runs under a sanitizer. `make sanitize` sets the variable.
extension Trait where Self == ConditionTrait {
    /// It has a thread of its own that wakes up by itself, holds signals back, and makes everything ten times slower than
    /// the second of grace allows for.
    static var notUnderThreadSanitizer: Self {
        .disabled(if: sanitizer == "thread", "the thread sanitizer wakes up, holds signals back and is slow")
    }

    /// What looks for leaks at the end of a program reads `/proc`, and fails without it.
    static var notUnderAddressSanitizer: Self {
        .disabled(if: sanitizer == "address", "the address sanitizer needs /proc")
    }
}

extension Trait where Self == ConditionTrait {
    /// Another package is built without the sanitizer, which would find nothing there.
    static var onlyWithoutSanitizer: Self {
        .disabled(if: sanitizer != nil, "the sanitizer does not reach what another package builds")
    }
}

private let sanitizer = getenv("NCLOUD_KMS_SANITIZER").map { String(cString: $0) }
