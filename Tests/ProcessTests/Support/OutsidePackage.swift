import Foundation
import KMSTestSupport

/// A package of a user: outside of this repository, beside a link to it, as somebody who has cloned it would write one.
///
/// Its folder is in the build folder, and stays: a second run builds only what has changed.
struct OutsidePackage: Sendable {
    private let folder: URL

    /// The repository.
    static let checkout = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL

    /// - Parameter contents: the files by their paths in the package.
    init(_ name: String, contents: [String: String]) throws {
        // A folder with a link of its own: another suite may make one at the same time.
        let parent = URL(filePath: BuiltProducts.path(of: "outside-packages")).appending(path: name)
        folder = parent.appending(path: name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let link = parent.appending(path: "ncloud-kms-rpc")
        // It leads elsewhere if the build folder was copied from another clone.
        let files = FileManager.default
        for old in [link] + ["Sources", "Tests"].map({ folder.appending(path: $0) })
        where (try? files.attributesOfItem(atPath: old.path)) != nil {
            try files.removeItem(at: old)
        }
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: Self.checkout)
        for (path, text) in contents {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
    }

    /// Builds the package.
    ///
    /// - Returns: the folder of its programs.
    func build() async throws -> String {
        try await swift("build")
        return products.path
    }

    /// Builds the package and runs its tests.
    ///
    /// - Parameter environment: variables for its manifest.
    /// - Returns: the output.
    /// - Throws: if a test fails.
    func test(environment: [String: String] = [:]) async throws -> String {
        try await swift("test", "--disable-xctest", environment: environment)
    }

    /// What was built.
    var products: URL { folder.appending(path: ".build/debug") }
    /// The sources of the packages that it depends on.
    var checkouts: URL { folder.appending(path: ".build/checkouts") }

    @discardableResult
    private func swift(_ arguments: String..., environment: [String: String] = [:]) async throws -> String {
        let inherited = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME"].contains($0.key) }
        let variables = inherited.merging(environment) { _, new in new }.map { "\($0)=\($1)" }
        let all = ["swift"] + arguments + ["--package-path", folder.path]
        return try await onOwnThread {
            try ChildProcess("/usr/bin/env", all, environment: variables).waitForExit()
        }
    }
}

extension OutsidePackage {
    /// A copy of a package of this repository, such as `Tests/Recipes`.
    init(_ name: String, copyOf path: String) throws {
        let source = Self.checkout.appending(path: path)
        var contents: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: source.path) where path.hasSuffix(".swift") {
            contents[path] = try String(contentsOf: source.appending(path: path), encoding: .utf8)
        }
        try self.init(name, contents: contents)
    }
}
