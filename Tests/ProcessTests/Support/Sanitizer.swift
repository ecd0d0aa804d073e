import Platform
import Testing

/// What the tests can't ask of a program that runs under the thread sanitizer: it has a thread of its own that wakes
/// up by itself, holds signals back, and makes everything ten times slower than the second of grace allows for.
/// `make sanitize` sets the variable.
extension Trait where Self == ConditionTrait {
    static var notUnderThreadSanitizer: Self {
        .disabled(
            if: getenv("NCLOUD_KMS_SANITIZER").map { String(cString: $0) } == "thread",
            "the thread sanitizer wakes up, holds signals back and is slow")
    }
}
