import Logging
import NCloudKMS

extension ServiceConfiguration {
    /// The client of the program, for whichever of its commands.
    ///
    /// - Throws: `ConfigurationError` when the configuration can't be put to work: a CA file that can't be read, a
    ///   libcurl that can't be used.
    package func makeClient(logger: Logger) throws(ConfigurationError) -> KMSClient {
        do {
            return try KMSClient(client, logger: logger)
        } catch {
            throw ConfigurationError(error.description, isUsage: false)
        }
    }
}
