#if Tracing
import Tracing

/// What the spans of a call's attempts need: they begin on the event loop, which knows nothing of the caller's task.
struct CallTrace: Sendable {
    let tracer: any Tracer
    /// The span of the call.
    let context: ServiceContext
}
#endif

/// The span of a call, by the package trait `Tracing`. Without the trait, or without a tracer, it does nothing.
struct CallSpan {
    /// The name of the span.
    enum Name: String {
        case publicKey = "KMSClient.publicKey"
        case verify = "KMSClient.verify"
    }

    #if Tracing
    private let span: (any Span)?
    private let trace: CallTrace?

    /// Begins it, in the context of the current task.
    init(_ name: Name, _ query: PublicKeyQuery) {
        let tracer = InstrumentationSystem.tracer
        guard !(tracer is NoOpTracer) else {
            span = nil
            trace = nil
            return
        }
        let span: any Span = tracer.startSpan(name.rawValue, ofKind: .internal)
        span.attributes["ncloud.kms.key.tag"] = query.keyTag.text
        if let version = query.version { span.attributes["ncloud.kms.key.version"] = version.number }
        self.span = span
        trace = CallTrace(tracer: tracer, context: span.context)
    }

    /// The query whose attempts are children of this span.
    func traced(_ query: PublicKeyQuery) -> PublicKeyQuery {
        var query = query
        query.trace = trace
        return query
    }

    /// Ends it with the outcome of the call.
    ///
    /// - Parameter isValid: the verdict, if the call was to verify a signature.
    func end(_ outcome: Result<PublicKeyAnswer, KMSError>, isValid: Bool? = nil) {
        guard let span else { return }
        if let isValid { span.attributes["ncloud.kms.signature.valid"] = isValid }
        switch outcome {
        case .success(let answer):
            span.attributes["ncloud.kms.key.source"] = answer.source.rawValue
        case .failure(let error):
            span.attributes["error.type"] = error.code.typeName
            span.setStatus(SpanStatus(code: .error, message: error.message))
        }
        span.end()
    }
    #else
    init(_ name: Name, _ query: PublicKeyQuery) {}

    func traced(_ query: PublicKeyQuery) -> PublicKeyQuery { query }

    func end(_ outcome: Result<PublicKeyAnswer, KMSError>, isValid: Bool? = nil) {}
    #endif
}
