import KMSJSON
import KMSJSONRPC
import KMSPlatform

/// How an era's results are written.
enum MCPEra: Sendable {
    case legacy
    /// With the server's name in each result.
    case modern(MCPServer)

    /// One result.
    ///
    /// - Parameters:
    ///   - isCacheable: whether it is the same at any time and for every client.
    ///   - members: writes the members that both eras have.
    func result(isCacheable: Bool = false, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.object { result in
            guard case .modern(let server) = self else { return members(&result) }
            result.member("resultType", "complete")
            members(&result)
            if isCacheable {
                result.member("ttlMs", Self.timeToLiveMilliseconds)
                result.member("cacheScope", "public")
            }
            result.member("_meta") { meta in
                meta.object { $0.member("io.modelcontextprotocol/serverInfo", server) }
            }
        }
        return json.bytes
    }

    /// A cacheable result changes only with the program's version, so any time would be correct. An hour lets clients
    /// notice a new version.
    private static let timeToLiveMilliseconds = 3_600_000
}

/// The server's description of itself.
struct MCPServer: Sendable, JSONWritable {
    /// The program's version.
    let version: String

    private static let legacyVersions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]

    /// For the model: what the descriptions of the tools don't say.
    private static let instructions = """
        Public keys of NAVER Cloud's Key Management Service, by their key tags. No tool changes a key or reads a \
        private key. An error's data.retryable says whether the same call may succeed later.
        """

    func write(to json: inout JSONWriter) {
        json.object { server in
            server.member("name", ProgramName.text)
            server.member("title", "NAVER Cloud KMS public keys")
            server.member("version", version)
        }
    }

    /// - Parameter asked: the revision that the client requests.
    func initializeResult(asked: String) -> [UInt8] {
        let isSpoken = Self.legacyVersions.contains(asked)
        return MCPEra.legacy.result { result in
            result.member("protocolVersion", isSpoken ? asked : Self.legacyVersions[Self.legacyVersions.count - 1])
            Self.writeCapabilities(to: &result)
            result.member("serverInfo", self)
            result.member("instructions", Self.instructions)
        }
    }

    var discoverResult: [UInt8] {
        MCPEra.modern(self).result(isCacheable: true) { result in
            result.member("supportedVersions") { versions in
                versions.array { array in ModernEnvelope.versions.forEach { array.value($0) } }
            }
            Self.writeCapabilities(to: &result)
            result.member("instructions", Self.instructions)
        }
    }

    private static func writeCapabilities(to result: inout JSONWriter) {
        result.member("capabilities") { capabilities in
            capabilities.object { $0.member("tools") { $0.object { _ in } } }
        }
    }
}

/// What a request of the era of envelopes says about itself in `_meta`.
enum ModernEnvelope {
    /// Its presence makes a request one of this era.
    static let protocolVersionKey: StaticString = "io.modelcontextprotocol/protocolVersion"
    private static let clientCapabilitiesKey: StaticString = "io.modelcontextprotocol/clientCapabilities"

    /// The revisions of the era of sessions are not accepted in envelopes.
    static let versions = ["2026-07-28"]

    static func check(_ meta: RawValue, _ version: RawValue) throws(RPCError) {
        guard let version = version.value.string else {
            throw .invalidParams("\(protocolVersionKey)", "must be a string")
        }
        guard let capabilities = meta.member(clientCapabilitiesKey) else {
            throw .invalidParams("\(clientCapabilitiesKey)", "is missing")
        }
        guard capabilities.kind == .object else {
            throw .invalidParams("\(clientCapabilitiesKey)", "must be an object")
        }
        guard versions.contains(version) else { throw .unsupportedProtocolVersion(version) }
    }
}

extension RPCError {
    /// The Model Context Protocol's own error, which plain JSON-RPC does not have.
    fileprivate static func unsupportedProtocolVersion(_ version: String) -> RPCError {
        RPCError(
            code: -32022, type: "UnsupportedProtocolVersion",
            message: "This revision of the Model Context Protocol is not supported; use one of data.supported.",
            details: [
                Member("supported", .strings(ModernEnvelope.versions)),
                Member("requested", .string(version.excerpt)),
            ])
    }
}
