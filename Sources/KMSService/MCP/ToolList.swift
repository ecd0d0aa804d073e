import KMSJSON
import KMSJSONRPC
import KMSPlatform

/// The methods that a language model may call, and their descriptions for it. All descriptions come from the OpenRPC
/// document, the only source; only the choice of tools, and their titles, are here.
struct ToolList: Sendable {
    /// The methods that only read keys.
    private static let tools = [
        (name: "getPublicKey", title: "Get a public key"), (name: "verifySignature", title: "Verify a signature"),
    ]

    private let methods: [any Method]

    /// - Parameter methods: all methods; the tools are among them.
    init(_ methods: [any Method]) {
        self.methods = Self.tools.compactMap { tool in methods.first { $0.name == tool.name } }
    }

    /// The result of `tools/list`: always the same list, byte for byte in both eras.
    func list(_ era: MCPEra) throws(RPCError) -> [UInt8] {
        switch Self.descriptions {
        case .success(let tools): return era.result(isCacheable: true) { $0.member("tools") { $0.raw(tools) } }
        case .failure(let error): throw .internalError("the built-in OpenRPC document is not JSON: \(error)")
        }
    }

    /// Built at the first request.
    private static let descriptions = ServiceDescription.document.map { document in
        var json = JSONWriter()
        json.array { array in
            for tool in tools { describe(tool.name, tool.title, in: document, to: &array) }
        }
        return json.bytes
    }

    private static func describe(
        _ name: String, _ title: String, in document: JSONValue, to array: inout JSONWriter
    ) {
        let method = document["methods"]?.elements?.first { $0["name"]?.string == name }
        let sentences = [method?["summary"]?.string, method?["description"]?.string].compactMap { $0 }
        let schemas = SchemaWriter(document: document)
        array.object { tool in
            tool.member("name", name)
            tool.member("title", title)
            tool.member("description", sentences.joined(separator: " "))
            tool.member("inputSchema") { schemas.writeObject(of: method?["params"]?.elements ?? [], to: &$0) }
            if let result = method?["result"]?["schema"] {
                tool.member("outputSchema") { schemas.write(result, to: &$0) }
            }
            tool.member("annotations") { annotations in
                annotations.object {
                    $0.member("readOnlyHint", true)
                    $0.member("destructiveHint", false)
                    $0.member("idempotentHint", true)
                    $0.member("openWorldHint", true)
                }
            }
        }
    }

    /// `tools/call`.
    func call(_ request: RawRequest, _ era: MCPEra) throws(RPCError) -> Interpretation {
        guard let name = request.params?.raw.member("name") else { throw .invalidParams("name", "is missing") }
        guard let text = name.value.string else { throw .invalidParams("name", "must be a string") }
        guard let method = methods.first(where: { $0.name == text }) else {
            let names = methods.map(\.name).joined(separator: " or ")
            throw .invalidParams("name", "must be \(names)")
        }
        let form = ToolCall(era: era, progressToken: ToolCall.progressToken(in: request.meta))
        guard let arguments = request.params?.raw.member("arguments"), arguments.kind != .null else {
            return .call(method, nil, form)
        }
        guard arguments.kind == .object else { throw .invalidParams("arguments", "must be an object") }
        if let name = arguments.duplicateName {
            return .answer(form.answer(to: .failure(.invalidParams(name.excerpt, "occurs twice"))))
        }
        return .call(method, RawParameters(arguments), form)
    }
}

/// How the outcome of a tool call is written.
struct ToolCall: AnswerForm {
    let era: MCPEra
    /// Identifies the call in progress notifications, exactly as the client wrote it; nil if it wants none.
    let progressToken: [UInt8]?

    /// A string or an integer; anything else is not a token.
    static func progressToken(in meta: RawValue?) -> [UInt8]? {
        guard let token = meta?.member("progressToken")?.value else { return nil }
        let isInteger = token.kind == .number && (token.integer != nil || token.bytes.allSatisfy(isDigitOrMinus))
        return token.kind == .string || isInteger ? Array(token.bytes) : nil
    }

    private static func isDigitOrMinus(_ byte: UInt8) -> Bool { byte.isASCIIDigit || byte == UInt8(ascii: "-") }

    var wantsProgress: Bool { progressToken != nil }

    func notification(of progress: CallProgress) -> [UInt8]? {
        guard let progressToken else { return nil }
        var json = JSONWriter()
        json.object { message in
            message.member("jsonrpc", "2.0")
            message.member("method", "notifications/progress")
            message.member("params") { params in
                params.object { params in
                    params.member("progressToken") { $0.raw(progressToken) }
                    params.member("progress", progress.number)
                    params.member("total", progress.total)
                    params.member("message", progress.message)
                }
            }
        }
        return json.bytes
    }

    func answer(to outcome: Result<[UInt8], RPCError>) -> Answer {
        switch outcome {
        case .success(let json):
            return .result(
                era.result { result in
                    Self.writeContent(json, to: &result)
                    result.member("structuredContent") { $0.raw(json) }
                })
        case .failure(let error) where error.code == RPCError.Code.internalError.rawValue:
            return .error(error)
        case .failure(let error):
            // For the model to read, so that it can correct its call. Structured content would have to match the output
            // schema.
            var json = JSONWriter()
            json.value(error)
            return .result(
                era.result { result in
                    Self.writeContent(json.bytes, to: &result)
                    result.member("isError", true)
                }, reporting: error)
        }
    }

    /// - Parameter json: the text of the only block.
    private static func writeContent(_ json: [UInt8], to result: inout JSONWriter) {
        result.member("content") { content in
            content.array { blocks in
                blocks.object { block in
                    block.member("type", "text")
                    block.member("text", String(decoding: json, as: UTF8.self))
                }
            }
        }
    }
}

/// Writes the JSON Schemas of the OpenRPC document so that each is self-contained: every `$ref` is replaced by its
/// target.
struct SchemaWriter {
    let document: JSONValue

    /// The schema of an object with the parameters of a method as members.
    func writeObject(of parameters: [JSONValue], to json: inout JSONWriter) {
        json.object { schema in
            schema.member("type", "object")
            schema.member("properties") { properties in
                properties.object { properties in
                    for parameter in parameters {
                        guard let name = parameter["name"]?.string, let value = parameter["schema"] else { continue }
                        properties.member(named: name) { write(value, to: &$0, describedBy: parameter["summary"]) }
                    }
                }
            }
            schema.member("required") { required in
                required.array { required in
                    for parameter in parameters where parameter["required"]?.bool ?? false {
                        if let name = parameter["name"] { required.value(name) }
                    }
                }
            }
            schema.member("additionalProperties", false)
        }
    }

    /// - Parameter summary: replaces the schema's own description.
    func write(_ schema: JSONValue, to json: inout JSONWriter, describedBy summary: JSONValue? = nil) {
        if let target = schema["$ref"]?.string.flatMap(target(of:)) {
            return write(target, to: &json, describedBy: summary)
        }
        if let elements = schema.elements {
            return json.array { array in
                for element in elements { write(element, to: &array) }
            }
        }
        guard let members = schema.members else { return json.value(schema) }
        json.object { object in
            if let summary { object.member("description", summary) }
            for (name, value) in members where summary == nil || name != "description" {
                object.member(named: name) { write(value, to: &$0) }
            }
        }
    }

    /// The target of a `#/…` reference.
    private func target(of reference: String) -> JSONValue? {
        guard reference.hasPrefix("#/") else { return nil }
        return reference.dropFirst(2).split(separator: "/").reduce(document as JSONValue?) { $0?[String($1)] }
    }
}
