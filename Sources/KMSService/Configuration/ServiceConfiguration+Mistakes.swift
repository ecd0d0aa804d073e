import NCloudKMS

extension ServiceConfiguration {
    /// Every mistake in the configuration, in the order of the settings, where `init` throws the first: each setting is
    /// read as if it was the only one.
    package static func mistakes(
        flags: [Setting.Name: String], environment: EnvironmentVariables
    ) -> [ConfigurationError] {
        func mistake(_ names: [Setting.Name]) -> ConfigurationError? {
            let others = Setting.all.filter { !names.contains($0.name) }.flatMap(\.variables)
            do {
                _ = try ServiceConfiguration(
                    flags: flags.filter { names.contains($0.key) }, environment: environment.without(others))
                return nil
            } catch {
                return error
            }
        }
        let found = Setting.Name.allCases.compactMap { name in
            switch name {
            // The profile is looked for in the file, so the two are read together.
            case .profile: mistake([.profile, .configFile])
            case .configFile: nil
            default: mistake([name])
            }
        }
        // A mistake that only settings together make.
        return found.isEmpty ? mistake(Setting.Name.allCases).map { [$0] } ?? [] : found
    }
}
