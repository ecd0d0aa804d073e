// The C library and what the standard library keeps in a module of its own, for all modules that import `KMSPlatform`.
#if canImport(Glibc)
@_exported import Glibc
#elseif canImport(Musl)
@_exported import Musl
#elseif canImport(Darwin)
@_exported import Darwin
#endif

// For `Atomic`; locks are `Lock`, for the reason that stands there.
@_exported import Synchronization

/// A system call that failed: its name and `errno`.
public struct PlatformError: Error, Equatable, CustomStringConvertible {
    public let call: String
    public let errorNumber: Int32

    public init(_ call: String, errorNumber: Int32 = errno) {
        self.call = call
        self.errorNumber = errorNumber
    }

    public var description: String { "\(call): \(Self.text(of: errorNumber))" }

    /// The system's sentence for an error number, as `strerror` gives it.
    public static func text(of errorNumber: Int32) -> String {
        guard let text = strerror(errorNumber) else { return "error \(errorNumber)" }
        return String(cString: text)
    }
}
