import Foundation
import KMSJSON
import KMSTestSupport
import Testing

/// The OpenRPC document against what the built program answers.
@Suite struct OpenRPCResultTests {
    let document: OpenRPCDocument

    init() throws {
        document = try OpenRPCDocument()
    }

    /// The answers of a program inside the emulator to requests with the ids 0, 1, …, in their order.
    private static func answers(
        _ requests: [(method: String, params: String)], flags: [String] = ["--max-attempts", "1"],
        emulator: [String] = []
    ) async throws -> [JSONValue] {
        let text = requests.enumerated().map { id, request in
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"\(request.method)\",\"params\":\(request.params)}\n"
        }
        let outcome = try await ServiceProcess.answers(
            "ncloud-kms-emulator", to: text.joined(),
            arguments: emulator + ["--", BuiltProducts.path(of: "ncloud-kms-rpc")] + flags)
        let answers = try outcome.result.map { try JSONValue(parsing: $0) }
        try #require(answers.count == requests.count, "\(outcome.log)")
        return answers.sorted { ($0["id"]?.integer ?? 0) < ($1["id"]?.integer ?? 0) }
    }

    @Test(arguments: [
        ("getPublicKey", #"{"keyTag":"demo-rsa"}"#),
        ("getPublicKey", #"{"keyTag":"demo-rsa","keyVersion":1,"formats":["spki","pkcs1","der","jwk","ssh"]}"#),
        ("getPublicKey", #"["demo-ec",1,["spki","der","jwk","ssh"],0,5000]"#),
        ("verifySignature", #"{"keyTag":"demo-ec","algorithm":"ES256","data":"","signature":"AAAA"}"#),
        ("getStatus", "{}"),
        ("rpc.discover", "[]"),
        ("shutdown", "{}"),
    ])
    func `results have the members that the schemas ask for, and no others`(
        _ method: String, _ params: String
    ) async throws {
        let schema = try #require(document.method(method)?.resultSchema)
        let answer = try await Self.answers([(method, params)])[0]
        let result = try #require(answer["result"], "\(answer.text)")
        #expect(document.checker.violations(of: result, against: schema) == [])
    }

    @Test func `rpc discover answers the document, on one line`() async throws {
        let answer = try await Self.answers([("rpc.discover", "{}")])[0]
        let result = try #require(answer["result"])
        #expect(result.isEqual(to: document.json))
    }

    /// What goes wrong, and the error that it is.
    struct Failure: CustomTestStringConvertible {
        var name: String
        /// Of `getPublicKey`; the last one fails.
        var requests = [#"["demo-rsa"]"#]
        var faults: [String] = []
        var flags = ["--max-attempts", "1"]

        var testDescription: String { "\(name) \(faults)" }
    }

    static let failures = [
        Failure(name: "InvalidParams", requests: [#"{"keyTag":"demo-ec","formats":["pkcs1"]}"#]),
        Failure(name: "InvalidParams", requests: [#"{"keyTag":"demo-rsa","more":1}"#]),
        Failure(name: "AuthenticationFailed", faults: ["status=401,code=200"]),
        Failure(name: "PermissionDenied", faults: ["status=403,code=230"]),
        Failure(name: "KeyNotFound", requests: [#"["no-such-key"]"#]),
        Failure(name: "KeyUnusable", requests: [#"["demo-aes"]"#]),
        Failure(
            name: "RateLimited",
            requests: [#"["demo-rsa"]"#, #"{"keyTag":"demo-rsa","keyVersion":1,"timeoutMs":100}"#],
            flags: ["--rate-per-key", "1"]),
        Failure(name: "QuotaExceeded", faults: ["status=429,code=400"]),
        Failure(name: "ServiceUnavailable", faults: ["status=503,code=500"]),
        Failure(name: "ServiceUnavailable", faults: ["reset"]),
        Failure(name: "DeadlineExceeded", requests: [#"{"keyTag":"demo-rsa","timeoutMs":50}"#], faults: ["hang"]),
        Failure(name: "InvalidServiceResponse", faults: ["status=200,text"]),
        Failure(name: "RequestRejected", faults: ["status=413,code=430"]),
    ]

    @Test(arguments: failures)
    func `errors have the code and the data that the document says`(_ failure: Failure) async throws {
        let answers = try await Self.answers(
            failure.requests.map { ("getPublicKey", $0) }, flags: failure.flags,
            emulator: failure.faults.flatMap { ["--fault", $0] })
        let error = try #require(answers.last?["error"])
        let documented = try #require(document.errors.first { $0.name == failure.name }?.error)
        #expect(error["code"]?.integer == documented["code"]?.integer, "\(error.text)")
        let data = try #require(error["data"])
        #expect(document.checker.violations(of: data, against: try #require(documented["data"])) == [])
        #expect(error.members?.map(\.name) == ["code", "message", "data"])
        // A method's own list names the error, too.
        let listed = document.method("getPublicKey")?.json["errors"]?.elements?.compactMap { $0["$ref"]?.string } ?? []
        #expect(listed.contains("#/components/errors/\(failure.name)"))
    }

    @Test func `the program asks for the parameters that the document requires`() async throws {
        for method in document.methods {
            guard let example = method.examples.first else { continue }
            for parameter in method.parameters where parameter.isRequired {
                let others = example.parameters.filter { $0.name != parameter.name }
                let params = OpenRPCDocument.Example(name: example.name, parameters: others, result: nil).params
                let answer = try await Self.answers([(method.name, params)])[0]
                let missing = answer["error"]?["data"]?["parameter"]?.string
                #expect(missing == parameter.name, "\(method.name): \(answer.text)")
            }
        }
    }

    /// Keys of the transcripts; the others are the emulator's own.
    private static let seeds = [
        "getPublicKey": [], "verifySignature": ["--seed", "\(TranscriptTests.folder)/signing-keys.json"],
    ]

    @Test(arguments: seeds.keys.sorted())
    func `the examples of a method are what it answers`(_ name: String) async throws {
        let examples = try #require(document.method(name)).examples
        #expect(!examples.isEmpty)
        for example in examples {
            let answer = try await Self.answers([(name, example.params)], emulator: Self.seeds[name] ?? [])[0]
            let (actual, expected) = (answer["result"]?.members ?? [], example.result?.members ?? [])
            #expect(actual.map(\.name) == expected.map(\.name), "\(answer.text)")
            for (left, right) in zip(actual, expected) where left.name != "requestId" {
                #expect(left.value.isEqual(to: right.value), "\(left.name) is \(left.value.text)")
            }
        }
    }

    // MARK: Another implementation of JSON Schema

    static let python = Python(having: "jsonschema")

    /// Python's `jsonschema` agrees that the rules, the document and the schemas in it are sound. Skipped where it is
    /// not installed (`apt-get install python3-jsonschema`).
    @Test(.enabled(if: python != nil, "Python's jsonschema is not installed"))
    func `another implementation of JSON Schema finds nothing wrong`() throws {
        let script = """
            import json, sys
            from jsonschema import Draft7Validator, RefResolver
            rules, document = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
            Draft7Validator.check_schema(rules)
            Draft7Validator(rules).validate(document)
            resolver = RefResolver.from_schema(document)
            def check(schema, value):
                Draft7Validator.check_schema(schema)
                Draft7Validator(schema, resolver=resolver).validate(value)
            for schema in document["components"]["schemas"].values(): Draft7Validator.check_schema(schema)
            for error in document["components"]["errors"].values(): Draft7Validator.check_schema(error["data"])
            for method in document["methods"]:
                schemas = {parameter["name"]: parameter["schema"] for parameter in method["params"]}
                for example in method.get("examples", []):
                    for parameter in example["params"]: check(schemas[parameter["name"]], parameter["value"])
                    if "result" in method: check(method["result"]["schema"], example["result"]["value"])
            """
        let python = try #require(Self.python)
        #expect(try python.run(["-c", script, OpenRPCDocument.rulesPath, OpenRPCDocument.path]) == "")
    }
}
