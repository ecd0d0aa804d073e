import Platform

/// The credentials that environment variables hold.
package struct EnvironmentCredentials {
    package static let accessKeyNames = ["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"]
    package static let secretKeyNames = ["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"]
    package static let tokenName = "NCLOUD_KMS_TOKEN"

    private let environment: EnvironmentVariables

    package init(_ environment: EnvironmentVariables) {
        self.environment = environment
    }

    package func token() throws(KMSError) -> CredentialFinding {
        guard let text = environment[Self.tokenName] else { return .absent("\(Self.tokenName) (not set)") }
        do {
            return .found(
                try Credentials(token: SecretBytes(Array(text.utf8).trimmingWhitespace()), source: .environment))
        } catch {
            throw .credentialsUnusable("\(Self.tokenName): \(error)")
        }
    }

    package func keyPair() throws(KMSError) -> CredentialFinding {
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
                throw .credentialsUnusable("\(accessKey.name) and \(secret.name): \(error)")
            }
        }
    }

    private static func half(_ name: String, without others: [String]) -> String {
        "\(name) is set, but neither \(others.joined(separator: " nor ")) is"
    }
}
