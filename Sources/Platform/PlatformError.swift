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
