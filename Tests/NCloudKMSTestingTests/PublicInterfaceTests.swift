import Foundation
import KMSTestSupport
import Testing

/// What the products `NCloudKMS` and `NCloudKMSTesting` show their users, by the compiler's own symbol graph of the modules
/// that were built.
///
/// That is without package traits. A trait adds declarations with types of the package that it is for; `TraitTests` checks
/// their documentation.
@Suite struct PublicInterfaceTests {
    /// The modules whose public symbols are the interface.
    static let modules = ["NCloudKMS", "KMSPublicKeys", "NCloudKMSTesting"]
    /// Where the types of public declarations may come from: `s` and `S…` are the standard library's, in mangled names.
    private static let foreignTypes: Set = ["s:7Logging6LoggerV"]

    @Test(arguments: modules)
    func `public declarations use only types of the library and of the standard library`(module: String) throws {
        let graph = try SymbolGraph(of: module)
        #expect(graph.symbols.count > 20)
        for symbol in graph.symbols {
            let used = symbol.declarationFragments.compactMap(\.preciseIdentifier)
            for type in used where Self.isForeign(type) && !Self.foreignTypes.contains(type) {
                Issue.record("\(module): \(symbol.name) mentions \(type)")
            }
        }
        for relationship in graph.relationships where Self.isForeign(relationship.target) {
            Issue.record("\(module): \(relationship.source) \(relationship.kind) \(relationship.target)")
        }
    }

    @Test(arguments: modules)
    func `every public symbol is documented`(module: String) throws {
        for symbol in try SymbolGraph(of: module).symbols where symbol.isWritten && symbol.docComment == nil {
            Issue.record("\(module): \(symbol.name) has no documentation")
        }
    }

    @Test(arguments: [
        ("s:9NCloudKMS8EndpointV", false), ("s:13KMSPublicKeys5CurveO", false), ("s:Si", false),
        ("s:s8DurationV", false),
        ("s:ScA", false), ("s:11KMSPlatform10TimeSourceP", true), ("s:10Foundation4DataV", true),
        ("c:@S@timeval", true),
        ("s:9NCloudKMX8EndpointV", true),
    ])
    func `a type's mangled name says whose it is`(identifier: String, isForeign: Bool) {
        #expect(Self.isForeign(identifier) == isForeign)
    }

    /// Whether a symbol's identifier is that of another module.
    private static func isForeign(_ identifier: String) -> Bool {
        guard let match = identifier.prefixMatch(of: /s:([0-9]+)/) else { return !identifier.hasPrefix("s:") }
        let name = identifier[match.range.upperBound...].prefix(Int(match.output.1) ?? 0)
        return !modules.contains(String(name))
    }
}
