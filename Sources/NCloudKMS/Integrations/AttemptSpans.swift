#if Tracing
import Tracing

/// The spans of attempts, with the attributes of OpenTelemetry's conventions for HTTP clients.
///
/// An attempt is made on behalf of every call that waits for it. It is a child of the first one's span, and has links to the
/// spans of the others.
struct AttemptSpans {
    private let endpoint: Endpoint
    private static let template = "/kms/v1/keys/{keyTag}/get-pub-key"

    init(to endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    /// - Parameters:
    ///   - number: 1 for the first attempt of its fetch.
    ///   - calls: those that wait for it.
    /// - Returns: nil if nobody traces it.
    func begin(_ request: PublicKeyRequest, number: Int, for calls: [WaitingCall]) -> (any Span)? {
        let traces = calls.compactMap(\.query.trace)
        // Nobody waits for a key that is refreshed ahead: its span has no parent.
        let tracer = traces.first?.tracer ?? InstrumentationSystem.tracer
        guard !(tracer is NoOpTracer) else { return nil }
        let span: any Span = tracer.startSpan(
            "\(PublicKeyRequest.method) \(Self.template)", context: traces.first?.context ?? .topLevel, ofKind: .client)
        for trace in traces.dropFirst() { link(span, to: trace) }
        guard span.isRecording else { return span }
        span.updateAttributes { attributes in
            attributes["http.request.method"] = PublicKeyRequest.method
            attributes["url.full"] = "\(endpoint)\(request.target)"
            attributes["url.template"] = Self.template
            attributes["server.address"] = endpoint.host
            attributes["server.port"] = Int(endpoint.port)
            if number > 1 { attributes["http.request.resend_count"] = number - 1 }
        }
        return span
    }

    /// Another call waits for it from now on.
    func link(_ span: any Span, to trace: CallTrace) {
        span.addLink(SpanLink(context: trace.context, attributes: [:]))
    }

    func end(_ span: any Span, _ outcome: AttemptOutcome) {
        if let response = outcome.response {
            span.attributes["http.response.status_code"] = response.status
            if let id = response.headers.requestID { span.attributes["ncloud.kms.request.id"] = id }
        }
        if case .failure(let failure) = outcome.result {
            let refusal = outcome.response.map(\.status).flatMap { $0 >= 400 ? "\($0)" : nil }
            fail(span, type: refusal ?? failure.error.code.typeName, message: failure.error.message)
        }
        span.end()
    }

    /// No call waits for it any more.
    func cancel(_ span: any Span) {
        fail(span, type: KMSError.Code.cancelled.typeName, message: nil)
        span.end()
    }

    private func fail(_ span: any Span, type: String, message: String?) {
        span.attributes["error.type"] = type
        span.setStatus(SpanStatus(code: .error, message: message))
    }
}
#endif
