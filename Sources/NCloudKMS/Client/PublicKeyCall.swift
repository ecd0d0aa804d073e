import Platform

/// A call that was begun. Whoever does not want its answer any more cancels it.
public struct PublicKeyCall: Sendable {
    let number: Int
    /// Nil if the call was answered at once.
    let engine: KMSEngine?

    /// Ends the call with `KMSError.cancelled`, unless it has ended. The request to the service goes on if other calls
    /// wait for it, and is aborted if nobody does.
    public func cancel() {
        guard let engine else { return }
        engine.thread.submit { [number] in engine.assumeIsolated { $0.cancel(number) } }
    }
}
