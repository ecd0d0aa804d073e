import JSON
import JSONRPC

/// `rpc.discover`: the OpenRPC document of this program, `protocol/openrpc.json`, which is built into it.
struct Discover: Method {
    let name = "rpc.discover"

    /// The document on one line. Made when somebody asks for the first time, as most processes never are.
    private static let document = Result { () throws(JSONError) in
        try JSONValue(parsing: PackageResources.openrpc_json).compacted
    }

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        _ = try Parameters(params, names: Self.parameterNames)
        switch Self.document {
        case .success(let json): call.succeed(json: json)
        case .failure(let error): throw .internalError("the built-in OpenRPC document is not JSON: \(error)")
        }
    }
}
