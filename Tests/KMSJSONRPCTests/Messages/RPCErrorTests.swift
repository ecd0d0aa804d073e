import KMSJSON
import KMSJSONRPC
import Testing

@Suite struct RPCErrorTests {
    @Test(arguments: [
        (RPCError.parseError(JSONError(.emptyText, at: 0)), -32700, "ParseError", false),
        (.invalidRequest("x"), -32600, "InvalidRequest", false),
        (.methodNotFound("x"), -32601, "MethodNotFound", false),
        (.invalidParams("p", "is odd"), -32602, "InvalidParams", false),
        (.unknownParameter("p", known: []), -32602, "InvalidParams", false),
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

    /// The symptom: a name of 500 KB came back whole, and one of a parameter twice.
    @Test(arguments: [
        (RPCError.methodNotFound(Self.longName), "reason"),
        (.unknownParameter(Self.longName, known: ["a"]), "parameter"),
    ])
    func `what an error repeats of a request is cut, and there once`(error: RPCError, member: String) throws {
        var json = JSONWriter()
        json.value(error)
        let repeated = try JSONValue(parsing: json.bytes)["data"]?[member]?.string
        // 85 characters of three bytes; one more is cut in whole.
        #expect(repeated == String(repeating: "키", count: 85))
        #expect(String(decoding: json.bytes, as: UTF8.self).split(separator: "키").count == 2)
        #expect(json.bytes.count < 700)
    }

    private static let longName = String(repeating: "키", count: 200_000)

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
