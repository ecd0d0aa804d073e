import JSON
import JSONRPC
import Testing

@Suite struct RPCErrorTests {
    @Test(arguments: [
        (RPCError.parseError(JSONError(.emptyText, at: 0)), -32700, "ParseError", false),
        (.invalidRequest("x"), -32600, "InvalidRequest", false),
        (.methodNotFound("x"), -32601, "MethodNotFound", false),
        (.invalidParams("p", "is odd"), -32602, "InvalidParams", false),
        (.internalError("x"), -32603, "InternalError", false),
        (.requestCancelled, -32800, "RequestCancelled", false), (.shuttingDown, 1012, "ShuttingDown", true),
    ])
    func `code, type and whether to retry are the contract`(error: RPCError, code: Int, type: String, isRetryable: Bool)
        throws
    {
        var json = JSONWriter()
        json.value(error)
        let value = try JSONValue(parsing: json.bytes)
        #expect(value["code"]?.integer == code)
        #expect(value["message"]?.string?.isEmpty == false)
        #expect(value["data"]?["type"]?.string == type)
        #expect(value["data"]?["retryable"]?.bool == isRetryable)
        #expect(value.members?.map(\.name) == ["code", "message", "data"])
    }

    @Test func `details follow in order`() throws {
        let error = RPCError(
            code: 1, type: "T", message: "m", details: [.init("a", .string("\"x\n")), .init("n", .integer(-5))])
        var json = JSONWriter()
        json.value(error)
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"code":1,"message":"m","data":{"type":"T","retryable":false,"a":"\"x\n","n":-5}}"#)
    }
}
