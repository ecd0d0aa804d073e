import KMSEmulator
import KMSJSON

/// What an answer says, as far as the contract determines it: a value that the model allows or does not allow.
enum ModelOutcome: Hashable {
    case error(Int)
    case result(ModelResult)
    /// The result of a tool call of MCP; in the form with envelopes if `isModern`.
    case tool(ModelResult, isModern: Bool)
    /// A tool call that failed, which is a result, too.
    case toolError(Int, isModern: Bool)

    /// The names of the errors, as the contract lists them.
    static let types: [Int: String] = [
        -32700: "ParseError", -32600: "InvalidRequest", -32601: "MethodNotFound", -32602: "InvalidParams",
        -32603: "InternalError", -32800: "RequestCancelled", -32022: "UnsupportedProtocolVersion",
        1001: "CredentialsUnavailable", 1002: "AuthenticationFailed", 1003: "PermissionDenied", 1004: "KeyNotFound",
        1005: "KeyUnusable", 1006: "RateLimited", 1007: "QuotaExceeded", 1008: "ServiceUnavailable",
        1009: "DeadlineExceeded", 1010: "InvalidServiceResponse", 1011: "UntrustedService", 1012: "ShuttingDown",
        1013: "RequestRejected",
    ]
    private static let retryable: Set = [1006, 1008, 1009, 1012]
}

/// A result, told by its form.
enum ModelResult: Hashable {
    case null
    case emptyObject
    /// The key that the emulator has for this tag and version.
    case publicKey(String, version: Int?)
    case notValid(version: Int?)
    case status
    case openRPCDocument
    case editorServer
    case toolServer(revision: String)
    case tools(isModern: Bool)
    case toolDiscovery
}

/// Why an answer is not one of the contract.
struct ModelViolation: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

// MARK: Reading

extension ModelOutcome {
    /// - Parameter answer: an object with `jsonrpc`, `id`, and `result` or `error`.
    init(of answer: JSONValue) throws(ModelViolation) {
        if let error = answer["error"] {
            self = .error(try Self.code(of: error))
        } else if let result = answer["result"] {
            self = try Self.outcome(of: result)
        } else {
            throw ModelViolation("neither result nor error: \(answer.text)")
        }
    }

    private static func code(of error: JSONValue) throws(ModelViolation) -> Int {
        guard error.members?.map(\.name) == ["code", "message", "data"], let code = error["code"]?.integer,
            let message = error["message"]?.string, !message.isEmpty,
            message.unicodeScalars.allSatisfy({ $0.value >= 0x20 }), let data = error["data"],
            data["type"]?.string == types[code], types[code] != nil, let isRetryable = data["retryable"]?.bool
        else { throw ModelViolation("not an error of the contract: \(error.text)") }
        // A network failure that somebody must repair first is not retryable.
        guard isRetryable == retryable.contains(code) || code == 1008 else {
            throw ModelViolation("retryable is wrong: \(error.text)")
        }
        return code
    }

    private static func outcome(of result: JSONValue) throws(ModelViolation) -> ModelOutcome {
        let isModern = result["resultType"] != nil
        if isModern {
            guard result["resultType"]?.string == "complete",
                result["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"]?.string == "ncloud-kms-rpc"
            else { throw ModelViolation("not a result with an envelope: \(result.text)") }
        }
        if let content = result["content"] {
            return try toolOutcome(of: result, content, isModern: isModern)
        }
        return .result(try ModelResult(of: result, isModern: isModern))
    }

    /// The value is there twice, except after a failure.
    private static func toolOutcome(
        of result: JSONValue, _ content: JSONValue, isModern: Bool
    ) throws(ModelViolation) -> ModelOutcome {
        guard let blocks = content.elements, blocks.count == 1, blocks[0]["type"]?.string == "text",
            let text = blocks[0]["text"]?.string, let value = try? JSONValue(parsing: text)
        else { throw ModelViolation("not the content of a tool: \(content.text)") }
        let structured = result["structuredContent"]
        if let isError = result["isError"] {
            guard isError.bool == true, structured == nil else {
                throw ModelViolation("a failure with a structured result: \(result.text)")
            }
            return .toolError(try code(of: value), isModern: isModern)
        }
        guard let structured, structured.bytes == value.bytes else {
            throw ModelViolation("a tool's text differs from its value: \(result.text)")
        }
        return .tool(try ModelResult(of: structured, isModern: false), isModern: isModern)
    }
}

extension ModelResult {
    init(of result: JSONValue, isModern: Bool) throws(ModelViolation) {
        if result.isNull {
            self = .null
        } else if result.members?.isEmpty == true {
            self = .emptyObject
        } else if let tag = result["keyTag"]?.string {
            self = try Self.key(tag, result)
        } else if let isValid = result["valid"]?.bool {
            guard !isValid, let version = result["keyVersion"], result["spkiSha256"]?.string != nil else {
                throw ModelViolation("no signature is valid here: \(result.text)")
            }
            self = .notValid(version: version.integer)
        } else if result["pid"]?.integer != nil, result["requests"]?["inFlight"]?.integer != nil {
            self = .status
        } else if result["openrpc"]?.string != nil {
            self = .openRPCDocument
        } else if result["supportedVersions"]?.elements != nil, isModern {
            self = .toolDiscovery
        } else if let tools = result["tools"]?.elements {
            guard tools.compactMap({ $0["name"]?.string }) == ["getPublicKey", "verifySignature"] else {
                throw ModelViolation("other tools: \(result.text)")
            }
            self = .tools(isModern: isModern)
        } else if result["serverInfo"]?["name"]?.string == "ncloud-kms-rpc" {
            self = result["protocolVersion"]?.string.map { .toolServer(revision: $0) } ?? .editorServer
        } else {
            throw ModelViolation("not a result of the contract: \(result.text)")
        }
    }

    private static func key(_ tag: String, _ result: JSONValue) throws(ModelViolation) -> ModelResult {
        let version = result["keyVersion"]?.integer
        let versions = Seed.demo.keys.first { $0.keyTag == tag }?.versions ?? []
        let expected = version.map { number in versions.first { $0.number == number } } ?? versions.last
        guard let expected = expected?.publicKey, result["publicKey"]?.string == expected,
            result["keyVersion"]?.isNull == (version == nil), result["spkiSha256"]?.string != nil,
            ["kms", "cache", "shared", "stale"].contains(result["source"]?.string ?? ""),
            result["ageMs"]?.integer ?? -1 >= 0, result["attempts"]?.integer ?? 0 >= 1
        else { throw ModelViolation("not the key \(tag): \(result.text)") }
        return .publicKey(tag, version: version)
    }
}
