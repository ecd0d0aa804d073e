import Logging
import NCloudKMS
import Platform

extension ServiceConfiguration {
    /// The client of the program, for whichever of its commands.
    ///
    /// - Parameter loop: the calling thread's.
    /// - Throws: `ConfigurationError` when the configuration can't be put to work: a CA file that can't be read, a
    ///   libcurl that can't be used.
    package func makeClient(on loop: EventLoop, logger: Logger) throws(ConfigurationError) -> KMSClient {
        do {
            return try KMSClient(client, on: loop, logger: logger)
        } catch {
            throw ConfigurationError(error.description, isUsage: false)
        }
    }
}

extension EventLoop {
    /// The loop of the calling thread, on which everything happens.
    package static func ofProgram() throws(ConfigurationError) -> EventLoop {
        do {
            return try EventLoop()
        } catch {
            throw ConfigurationError("the system is out of resources: \(error)", isUsage: false)
        }
    }
}
