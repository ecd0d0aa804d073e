import KMSJSON
import KMSJSONRPC
import KMSCommands
import KMSPlatform
import KMSService
import Logging
import NCloudKMS
import Testing

/// The OpenRPC document against the specification of OpenRPC, against itself, and against the code.
@Suite struct OpenRPCDocumentTests {
    let document: OpenRPCDocument

    init() throws {
        document = try OpenRPCDocument()
    }

    @Test func `the document has the form that OpenRPC asks for`() throws {
        let rules = try OpenRPCDocument.json(at: OpenRPCDocument.rulesPath)
        #expect(OpenRPCSchemaChecker(root: rules).violations(of: document.json, against: rules) == [])
    }

    @Test func `the rules of OpenRPC find what is wrong`() throws {
        let rules = try OpenRPCDocument.json(at: OpenRPCDocument.rulesPath)
        let checker = OpenRPCSchemaChecker(root: rules)
        for text in [
            #"{"openrpc":"1.3.2","info":{"title":"x","version":"1"}}"#,
            #"{"openrpc":"2.0","info":{"title":"x","version":"1"},"methods":[]}"#,
            #"{"openrpc":"1.3.2","info":{"title":"x","version":"1"},"methods":[{"name":"a"}]}"#,
            #"{"openrpc":"1.3.2","info":{"title":"x","version":"1"},"methods":[{"name":"","params":[]}]}"#,
            #"{"openrpc":"1.3.2","info":{"title":"x","version":"1"},"methods":[],"more":1}"#,
        ] {
            #expect(checker.violations(of: try JSONValue(parsing: text), against: rules) != [], "\(text)")
        }
    }

    @Test func `its version is the program's`() {
        #expect(document.json["info"]?["version"]?.string == ProgramVersion.text)
    }

    @Test func `every reference resolves, and every definition is used`() {
        let references = Self.references(in: document.json)
        #expect(!references.isEmpty)
        for reference in references {
            #expect(document.checker.target(of: reference) != nil, "\(reference)")
        }
        let used = Set(references)
        for name in document.json["components"]?["schemas"]?.members?.map(\.name) ?? [] {
            #expect(used.contains("#/components/schemas/\(name)"), "nobody uses the schema \(name)")
        }
    }

    private static func references(in value: JSONValue) -> [String] {
        let inner = (value.members?.map(\.value) ?? []) + (value.elements ?? [])
        return inner.flatMap(references) + [value["$ref"]?.string].compactMap { $0 }
    }

    // MARK: The code

    /// The methods of the program, each with the names of its parameters.
    private func methodsOfTheProgram() throws -> [String: [String]] {
        let client = try KMSClient(KMSClientConfiguration(), logger: Logger(label: "test"))
        var methods = Dictionary(
            uniqueKeysWithValues: Service.methods(zone: .global, version: "0", client: client).map {
                ($0.name, type(of: $0).parameterNames)
            })
        for method in SessionMethod.allCases { methods["\(method.name)"] = method.parameterNames }
        return methods
    }

    @Test func `its methods are the program's, with the same parameters in the same order`() throws {
        let documented = Dictionary(
            uniqueKeysWithValues: document.methods.map { ($0.name, $0.parameters.map(\.name)) })
        #expect(documented == (try methodsOfTheProgram()))
    }

    @Test func `required parameters come first`() {
        for method in document.methods {
            let firstOptional = method.parameters.firstIndex { !$0.isRequired } ?? method.parameters.count
            #expect(method.parameters[firstOptional...].allSatisfy { !$0.isRequired }, "\(method.name)")
        }
    }

    @Test func `only the notifications have no result`() {
        #expect(document.methods.filter { $0.resultSchema == nil }.map(\.name) == ["exit", "$/cancelRequest"])
    }

    @Test func `its errors are all that the wire and the client have`() {
        var expected: [Int: String] = [:]
        for code in RPCError.Code.allCases { expected[code.rawValue] = code.typeName }
        for code in KMSError.Code.allCases where code != .cancelled { expected[code.rawValue] = code.typeName }
        var documented: [Int: String] = [:]
        for (name, error) in document.errors { documented[error["code"]?.integer ?? 0] = name }
        #expect(documented == expected)
        #expect(document.errors.count == expected.count)
    }

    @Test func `each error's data has its name, and says whether it is worth another try`() throws {
        var isRetryable: [Int: Bool] = [:]
        for code in KMSError.Code.allCases where code != .cancelled { isRetryable[code.rawValue] = code.isRetryable }
        for (name, error) in document.errors {
            let code = try #require(error["code"]?.integer)
            let schema = try #require(error["data"])
            func data(_ name: String, _ retryable: Bool) throws -> JSONValue {
                try JSONValue(parsing: "{\"type\":\"\(name)\",\"retryable\":\(retryable)}")
            }
            let expected = isRetryable[code] ?? false
            let checker = document.checker
            #expect(checker.violations(of: try data(name, expected), against: schema) == [])
            // An unavailable service may be one that is not worth another try: a proxy may want a password.
            let isFixed = code != KMSError.Code.serviceUnavailable.rawValue
            #expect(checker.violations(of: try data(name, !expected), against: schema).isEmpty == !isFixed)
            #expect(checker.violations(of: try data("Other", expected), against: schema) != [])
        }
    }

    @Test func `its examples keep to its schemas`() throws {
        for method in document.methods {
            for example in method.examples {
                for (name, value) in example.parameters {
                    let parameter = try #require(method.parameters.first { $0.name == name }, "\(method.name) \(name)")
                    #expect(document.checker.violations(of: value, against: parameter.schema) == [])
                }
                guard let schema = method.resultSchema else { continue }
                let result = try #require(example.result, "\(method.name), example \(example.name)")
                #expect(document.checker.violations(of: result, against: schema) == [])
            }
        }
    }
}
