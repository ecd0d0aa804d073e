import Foundation
import KMSTestSupport
import Testing

/// The package traits of the library, in a package outside of this repository: `Tests/Traits` tests them with the packages that
/// they are for.
@Suite(.timeLimit(.minutes(30)), .onlyWithoutSanitizer) struct TraitTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test(.enabled(if: environment["NCLOUD_KMS_RECIPES"] != nil, "NCLOUD_KMS_RECIPES is not set"))
    func `the traits work together, and are documented`() async throws {
        let package = try OutsidePackage("traits", copyOf: "Tests/Traits")
        try await runTests(of: package)
        try documentation(of: package)
    }

    /// Each builds the library again, which takes minutes.
    @Test(
        .enabled(if: environment["NCLOUD_KMS_EACH_TRAIT"] != nil, "make traits sets NCLOUD_KMS_EACH_TRAIT"),
        .serialized,
        arguments: ["Configuration", "Metrics", "ServiceLifecycle", "Tracing"])
    func `each trait works alone`(_ trait: String) async throws {
        let package = try OutsidePackage("trait", copyOf: "Tests/Traits")
        try await runTests(of: package, with: ["NCLOUD_KMS_TRAIT": trait])
    }

    private func runTests(of package: OutsidePackage, with environment: [String: String] = [:]) async throws {
        let output = try await package.test(environment: environment)
        #expect(output.contains(/Test run with [1-9][0-9]* tests? in [1-9][0-9]* suites? passed/), "\(output)")
    }

    /// DocC has no warnings, and every public declaration has a comment.
    private func documentation(of package: OutsidePackage) throws {
        let folder = try TemporaryDirectory()
        let variables = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME"].contains($0.key) }
        try ChildProcess(
            OutsidePackage.checkout.appending(path: ".ci/docs").path,
            [package.products.path, folder.path, package.checkouts.path],
            environment: variables.map { "\($0)=\($1)" }
        ).waitForExit()
        let graph = try SymbolGraph(
            contentsOf: URL(filePath: folder.path("symbol-graphs")).appending(path: "NCloudKMS.symbols.json"))
        for symbol in graph.symbols where symbol.isWritten && symbol.docComment == nil {
            Issue.record("\(symbol.name) has no documentation")
        }
        // The declarations of traits are among them.
        let names = Set(graph.symbols.map(\.name))
        #expect(
            names.isSuperset(of: ["KMSClient.run()", "KMSClientConfiguration.init(config:environment:userAgent:)"]))
    }
}
