import KMSJSON
import KMSJSONRPC
import KMSPlatform

/// The Model Context Protocol, for hosts that let a language model call the methods as tools. Both eras: the one in
/// which `initialize` opens a session (2024-11-05 to 2025-11-25), and the one in which each request names its revision
/// in `_meta` (2026-07-28).
final class MCPDialect: Dialect {
    private let server: MCPServer
    private let tools: ToolList
    /// Whether `initialize` has opened the session of the first era.
    private let isSessionOpen = Atomic(false)

    /// - Parameters:
    ///   - version: the program's version.
    ///   - methods: all methods; the tools are among them.
    init(version: String, _ methods: [any Method]) {
        server = MCPServer(version: version)
        tools = ToolList(methods)
    }

    /// Clients stop reading when they stop the process, and some fail if another line arrives.
    var isSilentAtStop: Bool { true }

    func interpret(_ request: RawRequest) throws(RPCError) -> Interpretation? {
        if request.isNotification { return interpretNotification(request) }
        if request.method.isString("initialize") { return try initialize(request) }
        if let meta = request.meta, let version = meta.member(ModernEnvelope.protocolVersionKey) {
            try ModernEnvelope.check(meta, version)
            return try interpretModern(request)
        }
        return try interpretLegacy(request)
    }

    private func interpretNotification(_ request: RawRequest) -> Interpretation? {
        if request.method.isString("notifications/cancelled") {
            guard let id = request.params?.raw.member("requestId"), id.kind == .string || id.kind == .number else {
                return .ignored
            }
            return .cancellation(of: id)
        }
        let isOurs = MCPMethod(request.method) != nil || request.method.isString("initialize")
        return isOurs || request.method.hasPrefix("notifications/") ? .ignored : nil
    }

    // MARK: The era of sessions

    private func initialize(_ request: RawRequest) throws(RPCError) -> Interpretation {
        guard let asked = request.params?.raw.member("protocolVersion"), asked.kind == .string else {
            throw .invalidParams(
                "protocolVersion",
                "must be a string, as MCP requires; an editor sends an object \"capabilities\" instead"
            )
        }
        isSessionOpen.store(true, ordering: .relaxed)
        return .answer(.result(server.initializeResult(asked: asked.value.string ?? "")))
    }

    private func interpretLegacy(_ request: RawRequest) throws(RPCError) -> Interpretation? {
        guard let method = MCPMethod(request.method) else { return nil }
        let key = ModernEnvelope.protocolVersionKey
        switch method {
        case .ping:
            return .answer(.result(Array("{}".utf8)))
        case .discover:
            throw .invalidParams("_meta", "must contain \(key), the protocol revision of the request")
        case .listTools, .callTool:
            guard isSessionOpen.load(ordering: .relaxed) else {
                throw .invalidParams("_meta", "must contain \(key), unless initialize was sent before")
            }
            return try method == .callTool ? tools.call(request, .legacy) : listTools(request, .legacy)
        }
    }

    // MARK: The era of envelopes

    private func interpretModern(_ request: RawRequest) throws(RPCError) -> Interpretation {
        switch MCPMethod(request.method) {
        case nil, .ping:
            throw .methodNotFound(request.method.value.string ?? "", advice: "tools/list lists the tools")
        case .discover:
            return .answer(.result(server.discoverResult))
        case .listTools:
            return try listTools(request, .modern(server))
        case .callTool:
            return try tools.call(request, .modern(server))
        }
    }

    private func listTools(_ request: RawRequest, _ era: MCPEra) throws(RPCError) -> Interpretation {
        if let cursor = request.params?.raw.member("cursor"), cursor.kind != .null {
            throw .invalidParams("cursor", "must be left out: the list has one page")
        }
        return .answer(.result(try tools.list(era)))
    }
}

/// The requests of the protocol that are handled in one era or both, besides `initialize`.
enum MCPMethod: CaseIterable {
    case ping, discover, listTools, callTool

    private var name: StaticString {
        switch self {
        case .ping: "ping"
        case .discover: "server/discover"
        case .listTools: "tools/list"
        case .callTool: "tools/call"
        }
    }

    init?(_ name: RawValue) {
        guard let method = Self.allCases.first(where: { name.isString($0.name) }) else { return nil }
        self = method
    }
}
