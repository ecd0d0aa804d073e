import Foundation
import KMSTestSupport
import Testing

/// The Swift package that the README shows, built outside of this repository without a change, and run inside the emulator.
@Suite(.timeLimit(.minutes(20)), .onlyWithoutSanitizer) struct ReadmePackageTests {
    @Test func `the Swift package of the README builds, and its program prints the key`() async throws {
        let file = OutsidePackage.checkout.appending(path: "README.md")
        let readme = try String(contentsOf: file, encoding: .utf8)
        let blocks = readme.matches(of: /(?s)\n```swift\n(.*?)```/).map { String($0.output.1) }
        let manifest = try #require(blocks.first { $0.hasPrefix("// swift-tools-version") })
        let program = try #require(blocks.first { $0.contains("KMSClient(") })
        let folder = try await OutsidePackage(
            "example", contents: ["Package.swift": manifest, "Sources/example/main.swift": program]
        ).build()
        let outcome = try await ServiceProcess.output("ncloud-kms-emulator", of: ["--", "\(folder)/example"])
        #expect(outcome.status == 0, "\(outcome.log)")
        let output = String(decoding: outcome.result, as: UTF8.self)
        #expect(output.hasPrefix("EC P-256 sha256:"), "\(output)\(outcome.log)")
        #expect(output.contains(" kms "), "\(output)")
    }
}
