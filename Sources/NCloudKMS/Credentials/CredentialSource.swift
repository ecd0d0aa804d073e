/// Where credentials came from. It prints as words, for people and for `getStatus`.
public enum CredentialSource: Hashable, Sendable, CustomStringConvertible {
    /// Handed over by the program that uses this library.
    case application
    case environment
    case profile(name: String, file: String)
    case tokenFile(String)
    case serverRole(name: String)

    public var description: String {
        switch self {
        case .application: "the application"
        case .environment: "the environment"
        case .profile(let name, let file): "profile \(name.excerpt) of \(file.excerpt)"
        case .tokenFile(let file): "token file \(file.excerpt)"
        case .serverRole(let name): "server role \(name)"
        }
    }
}
