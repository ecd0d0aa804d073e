import KMSTestSupport

/// Makes the messages of a session, and the answers that the contract allows for each in the state that the messages before
/// it have made.
struct ModelRequests {
    /// The fault that never lets a call succeed.
    var isSilent = false
    /// Every call has a time limit of this many milliseconds at most.
    var shortLimit: Int?
    var faultCodes: Set<Int> = []
    /// A session of MCP was opened.
    private(set) var hasSession = false
    /// `shutdown` was sent.
    private(set) var isShutDown = false

    var random: SeededGenerator
    private var count = 0
    /// Those of calls with a progress token are for one request only.
    private var usedIDs: [(text: String, key: String, isUnique: Bool)] = []

    /// A message, and what is to come of it.
    struct Message {
        var json: String
        /// Nil if it is not answered.
        var answer: ModelAnswer?
        /// The key of the calls that it cancels.
        var cancels: (key: String, isTool: Bool)?
    }

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func oneOf<Element>(_ all: [Element]) -> Element { all[Int.random(in: 0..<all.count, using: &random)] }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    // MARK: Ids

    /// An id as it is written, and what it is compared by. All numbers are different numbers, however they are written.
    private mutating func id(isUnique: Bool = false) -> (text: String, key: String) {
        count += 1
        if !isUnique, chance(12), let used = usedIDs.filter({ !$0.isUnique }).randomElement(using: &random) {
            return (used.text, used.key)
        }
        let plain =
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<4: "\(count)"
            case 4: "-\(count)"
            case 5: "\(count).5"
            case 6: "\(count)18446744073709551616"
            case 7: "\(count)e-9"
            case 8: "\"request \(count)\""
            case 9: "\"\(String(repeating: "long", count: 150))\(count)\""
            case 10 where !isUnique: "null"
            default: "\"\\u00e9\\n\\\"\(count)\""
            }
        usedIDs.append((plain, plain, isUnique))
        return (plain, plain)
    }

    // MARK: Requests

    private mutating func request(
        _ method: String, _ params: String?, _ allowed: Set<ModelOutcome>, isCall: Bool = false
    ) -> Message {
        let id = id()
        return Message(
            json: Lines.request(id.text, method, params),
            answer: ModelAnswer(
                id: id.text, key: id.key, isCall: isCall, allowed: isShutDown ? [.error(1012)] : allowed))
    }

    /// What the service makes of a call, if nothing goes wrong.
    private static let keys: [(tag: String, version: Int?, code: Int?)] = [
        ("demo-rsa", nil, nil), ("demo-rsa", 1, nil), ("demo-rsa", 3, nil), ("demo-ec", nil, nil), ("demo-ec", 1, nil),
        ("demo-rsa", 2, 1005), ("demo-ec", 2, 1005), ("demo-aes", nil, 1005), ("nobody", nil, 1004),
        ("nobody", 7, 1004),
    ]

    private var failures: Set<Int> {
        faultCodes.union(shortLimit == nil ? [] : [1006, 1009])
    }

    private mutating func timing() -> String {
        var members = ""
        if chance(30) { members += #","maxAgeMs":\#(oneOf([0, 1_000]))"# }
        if let shortLimit { members += #","timeoutMs":\#(Int.random(in: 1...shortLimit, using: &random))"# }
        return members
    }

    private mutating func key() -> (params: String, result: ModelResult, code: Int?) {
        let key = oneOf(Self.keys)
        let version = key.version.map { #","keyVersion":\#($0)"# } ?? ""
        return (
            #"{"keyTag":"\#(key.tag)"\#(version)\#(timing())}"#, .publicKey(key.tag, version: key.version), key.code
        )
    }

    private mutating func signature() -> (params: String, result: ModelResult, code: Int?) {
        let key = oneOf(Self.keys.filter { $0.tag != "demo-rsa" || $0.version != 2 })
        let algorithm = key.tag == "demo-rsa" ? oneOf(["RS256", "PS256", "RS512"]) : "ES256"
        let version = key.version.map { #","keyVersion":\#($0)"# } ?? ""
        let params = #""algorithm":"\#(algorithm)","data":"","signature":"AAAA"\#(version)\#(timing())}"#
        return (#"{"keyTag":"\#(key.tag)",\#(params)"#, .notValid(version: key.version), key.code)
    }

    /// The arguments of a method that asks the service, what it gives without faults, and the errors that there may be.
    private mutating func call() -> (method: String, params: String, result: ModelResult?, codes: Set<Int>) {
        let (method, call) = chance(80) ? ("getPublicKey", key()) : ("verifySignature", signature())
        if isSilent { return (method, call.params, nil, []) }
        return (method, call.params, call.code == nil ? call.result : nil, failures.union(call.code.map { [$0] } ?? []))
    }

    mutating func plainCall() -> Message {
        let call = call()
        var allowed = Set(call.codes.map(ModelOutcome.error))
        if let result = call.result { allowed.insert(.result(result)) }
        return request(call.method, call.params, allowed, isCall: true)
    }

    mutating func plainRequest() -> Message {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: return request("getStatus", oneOf([nil, "{}", "null", "[]", #"{"_meta":{}}"#]), [.result(.status)])
        case 2: return request("rpc.discover", nil, [.result(.openRPCDocument)])
        case 3, 4: return request(oneOf(["no.such", "", "resources/list", "get\\u0000"]), nil, [.error(-32601)])
        case 5, 6:
            let params = oneOf([
                nil, "[]", #"{"keyTag":""}"#, #"{"keyTag":7}"#, #"{"keyTag":"a","x":1}"#, #"["a",101]"#,
                #"{"keyTag":"a","timeoutMs":0}"#, #"{"keyTag":"a","formats":["pem"]}"#, #"["a",1,[],0,1,2]"#,
            ])
            return request("getPublicKey", params, [.error(-32602)])
        case 7:
            let id = id()
            return Message(
                json: #"{"id":\#(id.text),"method":"getStatus","jsonrpc":"1.0"}"#,
                answer: ModelAnswer(id: id.text, allowed: [.error(-32600)]))
        case 8:
            // Also after shutdown.
            let id = id()
            return Message(
                json: Lines.request(id.text, "$/cancelRequest", #"{"id":"never"}"#),
                answer: ModelAnswer(id: id.text, allowed: [.result(.null)]))
        case 9: return request("verifySignature", #"{"keyTag":"a","data":"","signature":"A"}"#, [.error(-32602)])
        default:
            return request("initialize", oneOf([nil, "{}", #"{"protocolVersion":1}"#]), [.error(-32602)])
        }
    }

    /// Messages that are not answered.
    mutating func notification() -> Message {
        // Nobody waits for the call, but those behind it wait for its place.
        let params = shortLimit == nil ? #"["demo-ec"]"# : #"{"keyTag":"demo-ec"\#(timing())}"#
        return Message(
            json: oneOf([
                #"{"jsonrpc":"2.0","method":"getPublicKey","params":\#(params)}"#,
                #"{"jsonrpc":"2.0","method":"no.such"}"#, #"{"jsonrpc":"2.0","method":"getPublicKey","params":[]}"#,
                #"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
                #"{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"off"}}"#,
                #"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{}}}"#,
                #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                #"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"getPublicKey"}}"#,
                #"{"jsonrpc":"2.0","id":1,"result":{}}"#, #"{"jsonrpc":"2.0","id":1,"error":{}}"#,
                #"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{}}"#,
                #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
            ]))
    }

    /// A cancel in one of the two forms, for an id that was used or for none.
    mutating func cancel() -> Message {
        let id = usedIDs.isEmpty || chance(10) ? (text: "\"never\"", key: "\"never\"", isUnique: true) : oneOf(usedIDs)
        if chance(50) { return Message(json: Lines.cancel(id.text), cancels: (id.key, false)) }
        return Message(
            json: #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id.text)}}"#,
            cancels: id.key == "null" ? nil : (id.key, true))
    }

    /// The last call at once, while it is most likely to be in flight.
    func cancelOfLast(isTool: Bool) -> Message? {
        guard let id = usedIDs.last, id.key != "null" else { return nil }
        let json =
            isTool
            ? #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id.text)}}"#
            : Lines.cancel(id.text)
        return Message(json: json, cancels: (id.key, isTool))
    }

    mutating func shutdown() -> Message {
        let message = request("shutdown", nil, [.result(.null)])
        isShutDown = true
        return message
    }

    // MARK: Dialects

    mutating func editorHandshake() -> Message {
        request("initialize", #"{"processId":null,"capabilities":{}}"#, [.result(.editorServer)])
    }

    mutating func toolHandshake() -> Message {
        let revision = oneOf(["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1"])
        let hasSessions = !["2026-07-28", "1"].contains(revision)
        let message = request(
            "initialize", #"{"protocolVersion":"\#(revision)","capabilities":{}}"#,
            [.result(.toolServer(revision: hasSessions ? revision : "2025-11-25"))])
        if !isShutDown { hasSession = true }
        return message
    }

    private static let envelope =
        #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#

    mutating func toolRequest(isModern: Bool) -> Message {
        func params(_ members: String) -> String {
            guard isModern else { return "{\(members)}" }
            return "{\(members)\(members.isEmpty ? "" : ",")\"_meta\":{\(Self.envelope)}}"
        }
        func unlessClosed(_ outcome: ModelOutcome) -> Set<ModelOutcome> {
            [isModern || hasSession ? outcome : .error(-32602)]
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            return request("ping", params(""), [isModern ? .error(-32601) : .result(.emptyObject)])
        case 1: return request("tools/list", params(""), unlessClosed(.result(.tools(isModern: isModern))))
        case 2: return request("tools/list", params(#""cursor":"x""#), [.error(-32602)])
        case 3: return request("tools/call", params(#""name":"nobody""#), [.error(-32602)])
        case 4: return request("resources/list", params(""), [.error(-32601)])
        case 5:
            return request("server/discover", params(""), [isModern ? .result(.toolDiscovery) : .error(-32602)])
        case 6 where isModern:
            let meta =
                #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"1","io.modelcontextprotocol/clientCapabilities":{}}}"#
            return request("tools/list", meta, [.error(-32022)])
        default:
            let arguments = oneOf(["null", "{}", #"{"keyTag":"a","x":1}"#])
            var message = request(
                "tools/call", params(#""name":"getPublicKey","arguments":\#(arguments)"#),
                unlessClosed(.toolError(-32602, isModern: isModern)))
            if isShutDown, isModern || hasSession { message.answer?.allowed = [.toolError(1012, isModern: isModern)] }
            return message
        }
    }

    mutating func toolCall(isModern: Bool) -> Message {
        let call = call()
        // A token is for one call, so that its reports are told from those of others.
        let isReported = chance(40)
        let id = id(isUnique: isReported)
        let token = isReported ? "\"token \(count)\"" : nil
        var meta = isModern ? [Self.envelope] : []
        if let token { meta.append(#""progressToken":\#(token)"#) }
        let params =
            #"{"name":"\#(call.method)","arguments":\#(call.params),"_meta":{\#(meta.joined(separator: ","))}}"#
        var answer = ModelAnswer(id: id.text, key: id.key, allowed: [.error(-32602)])
        if isModern || hasSession {
            answer.isTool = true
            if isShutDown {
                answer.allowed = [.toolError(1012, isModern: isModern)]
            } else {
                answer.isCall = true
                answer.progressToken = token
                answer.allowed = Set(call.codes.map { .toolError($0, isModern: isModern) })
                if let result = call.result { answer.allowed.insert(.tool(result, isModern: isModern)) }
            }
        } else if isShutDown {
            answer.allowed = [.error(1012)]
        }
        return Message(json: Lines.request(id.text, "tools/call", params), answer: answer)
    }
}
