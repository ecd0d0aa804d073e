import KMSJSON
import KMSJSONRPC

/// What editors send to every server that they start (Language Server Protocol 3.17), in addition to the methods that
/// they know: `initialize`, and notifications about documents, which are ignored.
struct LanguageServerDialect: Dialect {
    /// The program's version, for `initialize`.
    let version: String

    /// The protocol requires an answer to every request.
    var isSilentAtStop: Bool { false }

    func interpret(_ request: RawRequest) -> Interpretation? {
        if request.isNotification { return isAboutTheEditor(request.method) ? .ignored : nil }
        guard request.method.isString("initialize"), let params = request.params?.raw,
            params.member("protocolVersion") == nil, params.member("capabilities")?.kind == .object
        else { return nil }
        var json = JSONWriter()
        json.object { result in
            result.member("capabilities") { $0.object { _ in } }
            result.member("serverInfo") { serverInfo in
                serverInfo.object {
                    $0.member("name", ProgramName.text)
                    $0.member("version", version)
                }
            }
        }
        return .answer(.result(json.bytes))
    }

    private static let prefixes: [StaticString] = ["$/", "textDocument/", "notebookDocument/", "workspace/", "window/"]

    private func isAboutTheEditor(_ method: RawValue) -> Bool {
        // The connection handles that one.
        guard !method.isString("$/cancelRequest") else { return false }
        return method.isString("initialized") || Self.prefixes.contains(where: method.hasPrefix)
    }
}
