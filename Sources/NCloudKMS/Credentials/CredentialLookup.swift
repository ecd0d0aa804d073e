/// Where credentials are looked for.
///
/// The places, in this order: the token file that you name, `NCLOUD_KMS_TOKEN`, `NCLOUD_KMS_TOKEN_FILE`,
/// `NCLOUD_ACCESS_KEY_ID` with `NCLOUD_SECRET_ACCESS_KEY`, a profile of the configuration file, and the role of the
/// server.
///
/// What you name here must exist: see `verifyNamedPlaces`. What is nil is taken from the environment, and then from the
/// defaults; those may be missing.
public struct CredentialLookup: Sendable {
    /// The variable that names the profile.
    public static let profileVariable = "NCLOUD_PROFILE"
    /// The variable that names the configuration file.
    public static let configurationFileVariable = "NCLOUD_CONFIG_FILE"
    /// The variable that names the token file.
    public static let tokenFileVariable = "NCLOUD_KMS_TOKEN_FILE"

    /// The environment to search.
    public let environment: EnvironmentVariables
    private let namedProfile: String?
    private let namedConfigurationFile: String?
    let namedTokenFile: String?

    /// Looks in an environment and in the places that you name.
    ///
    /// - Parameters:
    ///   - environment: the variables; those of this process by default.
    ///   - profile: nil for `NCLOUD_PROFILE`, else `DEFAULT`.
    ///   - configurationFile: the path; nil for `NCLOUD_CONFIG_FILE`, else `~/.ncloud/configure`.
    ///   - tokenFile: the path; nil for `NCLOUD_KMS_TOKEN_FILE`, else none.
    public init(
        environment: EnvironmentVariables = .process, profile: String? = nil, configurationFile: String? = nil,
        tokenFile: String? = nil
    ) {
        self.environment = environment
        namedProfile = profile
        namedConfigurationFile = configurationFile.map(environment.expandingHome)
        namedTokenFile = tokenFile.map(environment.expandingHome)
    }

    var profile: String {
        namedProfile ?? environment[Self.profileVariable] ?? ProfileFile.defaultProfile
    }

    /// Nil if no setting names it and there is no home directory.
    var configurationFile: String? {
        namedConfigurationFile ?? environment[Self.configurationFileVariable].map(environment.expandingHome)
            ?? environment.homeDirectory.map { "\($0)/.ncloud/configure" }
    }

    var variableTokenFile: String? {
        environment[Self.tokenFileVariable].map(environment.expandingHome)
    }

    /// Checks that the files and the profile that were named to `init` can be read.
    ///
    /// - Throws: `InvalidValue` named `tokenFile`, `configurationFile` or `profile`, like the parameters of `init`.
    public func verifyNamedPlaces() throws(InvalidValue) {
        if let file = namedTokenFile {
            do {
                _ = try SecretFile(reading: file)
            } catch {
                throw InvalidValue("tokenFile", "\(file.excerpt): \(error)")
            }
        }
        guard namedConfigurationFile != nil || namedProfile != nil else { return }
        let name = namedConfigurationFile != nil ? "configurationFile" : "profile"
        guard let file = configurationFile else {
            throw InvalidValue(name, "\(profile.excerpt) can't be looked up: there is no home directory")
        }
        let hasProfile: Bool
        do {
            hasProfile = try SecretFile(reading: file).profile(profile).hasProfile
        } catch {
            throw InvalidValue(name, "\(file.excerpt): \(error)")
        }
        if namedProfile != nil, !hasProfile {
            throw InvalidValue("profile", "\(profile.excerpt) is not in \(file.excerpt)")
        }
    }
}

extension SecretFile {
    /// The contents, read as a profile file.
    func profile(_ name: String) throws(ProfileFile.Problem) -> ProfileFile {
        try contents.withBytes { bytes throws(ProfileFile.Problem) in try ProfileFile(bytes, profile: name) }
    }
}
