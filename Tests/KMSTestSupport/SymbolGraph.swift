import Foundation

/// What `swift symbolgraph-extract` writes of a module, as far as it is looked at.
package struct SymbolGraph: Decodable {
    package struct Symbol: Decodable {
        package struct Identifier: Decodable {
            package let precise: String
        }

        package struct Fragment: Decodable {
            package let preciseIdentifier: String?
        }

        package struct DocComment: Decodable {}

        package let identifier: Identifier
        package let pathComponents: [String]
        package let declarationFragments: [Fragment]
        package let docComment: DocComment?

        package var name: String { pathComponents.joined(separator: ".") }

        /// Somebody wrote it, as opposed to a member that a conformance to a protocol of the standard library brings.
        package var isWritten: Bool { !identifier.precise.contains("::SYNTHESIZED::") }
    }

    package struct Relationship: Decodable {
        package let kind: String
        package let source: String
        package let target: String
    }

    package let symbols: [Symbol]
    package let relationships: [Relationship]

    /// Of a file.
    package init(contentsOf file: URL) throws {
        self = try JSONDecoder().decode(SymbolGraph.self, from: Data(contentsOf: file))
    }

    /// Of the module as it was built for these tests.
    package init(of module: String) throws {
        let products = URL(filePath: BuiltProducts.path(of: module)).deletingLastPathComponent()
        let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").standardized
        let folder = try TemporaryDirectory()
        let maps = ["CKMSLibcurl", "CKMSOpenSSL", "CKMSMicrohttpd", "CKMSHiredis", "CKMSLinux", "CKMSBuild"].flatMap {
            name in
            ["-Xcc", "-fmodule-map-file=\(sources.appending(path: name).path)/module.modulemap"]
        }
        let variables = ["PATH", "HOME"].compactMap { name in
            ProcessInfo.processInfo.environment[name].map { "\(name)=\($0)" }
        }
        let target = try ChildProcess(
            "/usr/bin/env", ["swiftc", "-print-target-info"], environment: variables
        ).waitForExit()
        let triple = try JSONDecoder().decode(TargetInfo.self, from: Data(target.utf8)).target.unversionedTriple
        try ChildProcess(
            "/usr/bin/env",
            [
                "swift", "symbolgraph-extract", "-module-name", module, "-I", products.appending(path: "Modules").path,
                "-target", triple, "-minimum-access-level", "public", "-output-dir", folder.path,
            ] + maps, environment: variables
        ).waitForExit()
        try self.init(contentsOf: URL(filePath: folder.path("\(module).symbols.json")))
    }

    private struct TargetInfo: Decodable {
        struct Target: Decodable {
            let unversionedTriple: String
        }

        let target: Target
    }
}
