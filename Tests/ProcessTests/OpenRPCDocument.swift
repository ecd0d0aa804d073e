import Foundation
import KMSJSON

/// `protocol/openrpc.json`, read.
struct OpenRPCDocument {
    static let path = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../protocol/openrpc.json").standardizedFileURL.path
    /// What the specification of OpenRPC asks of a document.
    static let rulesPath = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures/openrpc-1.3.schema.json").path

    let json: JSONValue
    let checker: OpenRPCSchemaChecker

    init() throws {
        json = try Self.json(at: Self.path)
        checker = OpenRPCSchemaChecker(root: json)
    }

    static func json(at path: String) throws -> JSONValue {
        try JSONValue(parsing: [UInt8](Data(contentsOf: URL(filePath: path))))
    }

    struct Method {
        let name: String
        let json: JSONValue

        struct Parameter {
            let name: String
            let isRequired: Bool
            let schema: JSONValue
        }

        var parameters: [Parameter] {
            (json["params"]?.elements ?? []).compactMap { parameter in
                guard let name = parameter["name"]?.string, let schema = parameter["schema"] else { return nil }
                return Parameter(name: name, isRequired: parameter["required"]?.bool ?? false, schema: schema)
            }
        }

        /// Nil for a method that is a notification.
        var resultSchema: JSONValue? { json["result"]?["schema"] }

        var examples: [Example] {
            (json["examples"]?.elements ?? []).map { example in
                Example(
                    name: example["name"]?.string ?? "",
                    parameters: (example["params"]?.elements ?? []).compactMap { parameter in
                        guard let name = parameter["name"]?.string, let value = parameter["value"] else { return nil }
                        return (name, value)
                    },
                    result: example["result"]?["value"])
            }
        }
    }

    struct Example {
        let name: String
        let parameters: [(name: String, value: JSONValue)]
        let result: JSONValue?

        /// The parameters by name, as a request has them.
        var params: String {
            "{\(parameters.map { "\"\($0.name)\":\($0.value.text)" }.joined(separator: ","))}"
        }
    }

    var methods: [Method] {
        (json["methods"]?.elements ?? []).map { Method(name: $0["name"]?.string ?? "", json: $0) }
    }

    func method(_ name: String) -> Method? { methods.first { $0.name == name } }

    /// The errors by their names.
    var errors: [(name: String, error: JSONValue)] {
        (json["components"]?["errors"]?.members ?? []).map { (name: $0.name, error: $0.value) }
    }
}
