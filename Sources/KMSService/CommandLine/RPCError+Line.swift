import JSONRPC
import NCloudKMS

extension RPCError {
    /// The error on one line for people: its type, its number, its sentence, and what else `error.data` would hold.
    package var line: String {
        // A sentence about a parameter holds both already.
        let details = code == Code.invalidParams.rawValue ? [] : details
        let fields = details.map { detail in
            switch detail.value {
            case .string(let text): " \(detail.name)=\(LogFormat.field(text))"
            case .integer(let number): " \(detail.name)=\(number)"
            }
        }
        return LogFormat.escapingControls("\(type) (\(code)): \(message)\(fields.joined())")
    }
}
