import KMSJSON

/// The methods about the connection itself, which every connection has.
package enum SessionMethod: CaseIterable, Sendable {
    case cancelRequest, shutdown, exit

    /// The name in requests.
    package var name: StaticString {
        switch self {
        case .cancelRequest: "$/cancelRequest"
        case .shutdown: "shutdown"
        case .exit: "exit"
        }
    }

    /// The names of the parameters, in the order of their positions.
    package var parameterNames: [String] {
        switch self {
        case .cancelRequest: ["id"]
        case .shutdown, .exit: []
        }
    }

    /// Nil for the name of another method.
    init?(_ name: JSONToken, in bytes: UnsafeBufferPointer<UInt8>) {
        guard let method = Self.all.first(where: { name.isString($0.name, in: bytes) }) else { return nil }
        self = method
    }

    /// `allCases` may allocate an array each time, and every request is looked up here.
    private static let all = allCases
}
