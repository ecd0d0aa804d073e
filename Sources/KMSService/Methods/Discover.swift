import KMSJSON
import KMSJSONRPC

/// The name by which the program identifies itself.
enum ProgramName {
    static let text = "ncloud-kms-rpc"
}

/// The OpenRPC document of this program, `protocol/openrpc.json`, which is embedded in it.
enum ServiceDescription {
    /// Parsed at the first request, because most processes never receive one.
    static let document = Result { () throws(JSONError) in try JSONValue(parsing: PackageResources.openrpc_json) }
}

/// `rpc.discover`: the OpenRPC document.
struct Discover: Method {
    let name = "rpc.discover"

    /// The document on one line.
    private static let json = ServiceDescription.document.map(\.compacted)

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        _ = try Parameters(params, names: Self.parameterNames)
        switch Self.json {
        case .success(let json): call.succeed(json: json)
        case .failure(let error): throw .internalError("the built-in OpenRPC document is not JSON: \(error)")
        }
    }
}
