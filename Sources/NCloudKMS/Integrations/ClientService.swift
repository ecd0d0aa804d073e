#if ServiceLifecycle
import ServiceLifecycle

/// A client in a `ServiceGroup`, by the package trait `ServiceLifecycle`.
extension KMSClient: Service {
    /// Waits for the graceful shutdown of its `ServiceGroup`, and then shuts the client down.
    ///
    /// A client works without it, too. List the client before the services that use it: a group shuts its services down in
    /// reverse order, so that the client is there until the last of them has ended.
    ///
    /// - Throws: `CancellationError` if its task is cancelled; the client is shut down then as well.
    public func run() async throws {
        defer { shutdown() }
        try await gracefulShutdown()
    }
}
#endif
