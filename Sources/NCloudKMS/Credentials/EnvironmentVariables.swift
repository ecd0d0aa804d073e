import KMSPlatform

/// The environment of a process. An empty variable counts as unset. White space around a value is ignored, because env
/// files from Windows leave a CR at the end of a value, and mounted secrets an LF.
public struct EnvironmentVariables: Sendable {
    /// The unchanged value of a variable. `HOME` is used unchanged: white space can be part of a path, and all of the
    /// user's programs must find the same folder.
    private let value: @Sendable (String) -> String?

    /// The environment of this process.
    public static let process = EnvironmentVariables { name in getenv(name).map { String(cString: $0) } }

    /// Creates an environment that contains only these variables.
    public init(_ variables: [String: String]) {
        self.init { variables[$0] }
    }

    private init(_ value: @escaping @Sendable (String) -> String?) {
        self.value = value
    }

    /// The value of a variable without white space around it; nil if it is unset or empty.
    public subscript(name: String) -> String? {
        value(name).map { $0.trimmingASCIIWhitespace() }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Replaces a leading `~/`, which no shell has expanded, with the home directory. Without a home directory the path
    /// stays as it is.
    public func expandingHome(_ path: String) -> String {
        HomeDirectory.expanding(path, variable: value("HOME"))
    }

    /// The same without some variables.
    package func without(_ names: [String]) -> EnvironmentVariables {
        EnvironmentVariables { [value] name in names.contains(name) ? nil : value(name) }
    }

    /// The first variable of several that is set.
    package func first(of names: [String]) -> (name: String, value: String)? {
        for name in names {
            if let value = self[name] { return (name, value) }
        }
        return nil
    }

    /// The home directory: `HOME`, else what the password database says; nil if neither has one.
    var homeDirectory: String? { HomeDirectory.path(variable: value("HOME")) }
}

/// The credentials in environment variables.
struct EnvironmentCredentials {
    static let accessKeyNames = ["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"]
    static let secretKeyNames = ["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"]
    static let tokenName = "NCLOUD_KMS_TOKEN"

    private let environment: EnvironmentVariables

    init(_ environment: EnvironmentVariables) {
        self.environment = environment
    }

    func token() throws(KMSError) -> CredentialFinding {
        guard let text = environment[Self.tokenName] else { return .absent("\(Self.tokenName) (not set)") }
        do {
            return .found(
                try Credentials(token: SecretBytes(Array(text.utf8).trimmingWhitespace()), source: .environment))
        } catch {
            throw .credentialsUnusable("\(Self.tokenName) \(error.problem)")
        }
    }

    func keyPair() throws(KMSError) -> CredentialFinding {
        let accessKey = environment.first(of: Self.accessKeyNames)
        let secret = environment.first(of: Self.secretKeyNames)
        switch (accessKey, secret) {
        case (nil, nil):
            return .absent("the environment (no \(Self.accessKeyNames[0]))")
        case (let accessKey?, nil):
            throw .credentialsUnusable(Self.half(accessKey.name, without: Self.secretKeyNames))
        case (nil, let secret?):
            throw .credentialsUnusable(Self.half(secret.name, without: Self.accessKeyNames))
        case (let accessKey?, let secret?):
            do {
                // Secrets that orchestrators mount into variables often end with a line break.
                return .found(
                    try Credentials(
                        accessKeyID: String(decoding: Array(accessKey.value.utf8).trimmingWhitespace(), as: UTF8.self),
                        secretAccessKey: SecretBytes(Array(secret.value.utf8).trimmingWhitespace()),
                        source: .environment))
            } catch {
                let name = error.name == "accessKeyID" ? accessKey.name : secret.name
                throw .credentialsUnusable("\(name) \(error.problem)")
            }
        }
    }

    private static func half(_ name: String, without others: [String]) -> String {
        "\(name) is set, but neither \(others.joined(separator: " nor ")) is"
    }
}
