#if Metrics
import CoreMetrics

/// The metrics of a client, by the package trait `Metrics`. Names and dimensions are part of the library's interface; the
/// article about monitoring lists them. No dimension contains a key tag.
///
/// Every metric always has the same dimensions, because some backends accept no others afterwards.
struct ClientMetrics {
    private static let prefix = "ncloud.kms.client"
    private static let errorType = "error.type"
    /// The error type of a success.
    private static let none = "none"

    private let factory: any MetricsFactory
    private let hits: Counter
    private let misses: Counter
    private let staleAnswers: Counter
    private let throttles: Counter
    /// By the type of the error; made when the first of its kind ends.
    private var attempts: [KMSError.Code?: (count: Counter, duration: Timer)] = [:]
    private var failedCalls: [KMSError.Code: Counter] = [:]

    /// - Parameter factory: the one that makes all of them. A task can have a factory of its own, but the event loop is no task,
    ///   so that only the initialiser of a client sees it.
    init(factory: any MetricsFactory = MetricsSystem.factory) {
        self.factory = factory
        hits = Counter(label: "\(Self.prefix).cache.hits", factory: factory)
        misses = Counter(label: "\(Self.prefix).cache.misses", factory: factory)
        staleAnswers = Counter(label: "\(Self.prefix).cache.stale", factory: factory)
        throttles = Counter(label: "\(Self.prefix).throttles", factory: factory)
    }

    func cacheAnswered() { hits.increment() }

    func cacheMissed() { misses.increment() }

    func answeredStale() { staleAnswers.increment() }

    func throttled() { throttles.increment() }

    /// - Parameter code: of its failure; nil if it brought a key.
    mutating func attemptEnded(_ code: KMSError.Code?, after duration: Duration) {
        let metrics = attempts[code] ?? attemptMetrics(code)
        metrics.count.increment()
        metrics.duration.recordNanoseconds(duration.nanoseconds)
    }

    mutating func callFailed(_ code: KMSError.Code) {
        if failedCalls[code] == nil {
            failedCalls[code] = Counter(
                label: "\(Self.prefix).call.failures", dimensions: [(Self.errorType, code.typeName)], factory: factory)
        }
        failedCalls[code]?.increment()
    }

    private mutating func attemptMetrics(_ code: KMSError.Code?) -> (count: Counter, duration: Timer) {
        let dimensions = [(Self.errorType, code?.typeName ?? Self.none)]
        let metrics = (
            count: Counter(label: "\(Self.prefix).attempts", dimensions: dimensions, factory: factory),
            duration: Timer(label: "\(Self.prefix).attempt.duration", dimensions: dimensions, factory: factory)
        )
        attempts[code] = metrics
        return metrics
    }
}
#endif
