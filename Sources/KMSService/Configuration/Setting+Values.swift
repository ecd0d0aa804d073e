import Logging
import NCloudKMS

extension Setting {
    /// What its value can be, as far as a shell can complete it.
    public enum Values: Equatable, Sendable {
        case words([String])
        case path
        /// Numbers, names and URLs.
        case any
    }

    public var values: Values {
        switch name {
        case .zone: .words(Zone.allCases.map(\.rawValue))
        case .framing: .words(ServiceConfiguration.FramingName.allCases.map(\.rawValue))
        case .logLevel: .words(Logger.Level.allCases.map(\.rawValue))
        case .logFormat: .words(LogFormat.allCases.map(\.rawValue))
        case .configFile, .tokenFile, .caFile: .path
        default: .any
        }
    }
}
