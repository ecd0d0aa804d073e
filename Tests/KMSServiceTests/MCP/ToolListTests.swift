import KMSJSON
import KMSJSONRPC
import Testing

@testable import KMSService
@testable import NCloudKMS

/// What a language model is told of the tools.
@Suite struct ToolListTests {
    private static let tools = Result {
        try JSONValue(parsing: ToolList([]).list(.legacy))["tools"]?.elements ?? []
    }

    private let tools: [JSONValue]
    private let methods: [JSONValue]

    init() throws {
        tools = try Self.tools.get()
        methods = try ServiceDescription.document.get()["methods"]?.elements ?? []
    }

    private func method(of tool: JSONValue) -> JSONValue? {
        methods.first { $0["name"]?.string == tool["name"]?.string }
    }

    @Test func `there are two, both of which only read`() throws {
        #expect(tools.compactMap { $0["name"]?.string } == ["getPublicKey", "verifySignature"])
        for tool in tools {
            let annotations = tool["annotations"]
            for name in ["readOnlyHint", "idempotentHint", "openWorldHint"] {
                #expect(annotations?[name]?.bool == true, "\(name)")
            }
            #expect(annotations?["destructiveHint"]?.bool == false)
        }
    }

    @Test func `the list is the same in both eras, and small enough to be carried by every prompt`() throws {
        let list = ToolList([])
        let legacy = try JSONValue(parsing: list.list(.legacy))
        let modern = try JSONValue(parsing: list.list(.modern(MCPServer(version: "1.2.3"))))
        let bytes = try #require(legacy["tools"]?.bytes)
        #expect(modern["tools"]?.bytes == bytes)
        #expect(bytes.count < 16 << 10, "\(bytes.count) bytes")
        #expect(legacy.members?.map(\.name) == ["tools"])
        #expect(modern.members?.map(\.name) == ["resultType", "tools", "ttlMs", "cacheScope", "_meta"])
    }

    @Test func `names, titles and descriptions fit what hosts accept`() throws {
        for tool in tools {
            let name = try #require(tool["name"]?.string)
            #expect(try #/[A-Za-z0-9_-]{1,40}/#.wholeMatch(in: name) != nil)
            #expect((1...64).contains(tool["title"]?.string?.count ?? 0))
            #expect((20...1_024).contains(tool["description"]?.string?.unicodeScalars.count ?? 0))
        }
    }

    /// Some providers refuse the whole list for one of these, some hosts drop the tool without a word.
    private static let keywordsThatAreNotForTheTop = ["oneOf", "anyOf", "allOf", "not", "if", "enum"]

    @Test(arguments: ["inputSchema", "outputSchema"]) func `schemas stand alone, and are plain objects`(
        _ name: String
    ) throws {
        for tool in tools {
            let schema = try #require(tool[name])
            #expect(schema["type"]?.string == "object")
            #expect(schema["additionalProperties"]?.bool == false)
            for keyword in Self.keywordsThatAreNotForTheTop { #expect(schema[keyword] == nil, "\(keyword)") }
            let all = Self.namesOfMembers(in: schema)
            #expect(all.count > 10)
            #expect(all.isDisjoint(with: ["$ref", "$defs", "definitions"]))
        }
    }

    private static func namesOfMembers(in value: JSONValue) -> Set<String> {
        let members = value.members ?? []
        return (members.map(\.value) + (value.elements ?? [])).reduce(Set(members.map(\.name))) {
            $0.union(namesOfMembers(in: $1))
        }
    }

    @Test func `parameters are the document's, in its order, each described by its summary`() throws {
        for tool in tools {
            let parameters = try #require(method(of: tool)?["params"]?.elements)
            let schema = try #require(tool["inputSchema"])
            #expect(schema["properties"]?.members?.map(\.name) == parameters.map { $0["name"]?.string ?? "" })
            #expect(
                schema["required"]?.elements?.map(\.string)
                    == parameters.filter { $0["required"]?.bool ?? false }.map { $0["name"]?.string })
            for parameter in parameters {
                let property = schema["properties"]?[parameter["name"]?.string ?? ""]
                #expect(property?["description"]?.string == parameter["summary"]?.string)
                #expect(property?["type"] != nil)
            }
        }
    }

    @Test func `results have the members of the document's schemas`() throws {
        let schemas = try ServiceDescription.document.get()["components"]?["schemas"]
        for (tool, name) in zip(tools, ["PublicKey", "SignatureVerdict"]) {
            #expect(
                tool["outputSchema"]?["properties"]?.members?.map(\.name)
                    == schemas?[name]?["properties"]?.members?.map(\.name))
        }
    }

    @Test func `what a reference leads to stands in its place, also inside of that`() throws {
        let document = try JSONValue(
            parsing: ##"{"a":{"b":[{"$ref":"#/c"},7]},"c":{"description":"old","x": {"$ref":"#/d"}},"d":{"y":[ 1 ]}}"##)
        var json = JSONWriter()
        SchemaWriter(document: document).write(try #require(document["a"]), to: &json)
        #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"b":[{"description":"old","x":{"y":[1]}},7]}"#)
        json = JSONWriter()
        SchemaWriter(document: document).write(
            try JSONValue(parsing: ##"{"$ref":"#/c"}"##), to: &json, describedBy: try JSONValue(parsing: #""new""#))
        #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"description":"new","x":{"y":[1]}}"#)
    }
}
