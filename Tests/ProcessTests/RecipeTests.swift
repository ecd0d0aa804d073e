import Foundation
import KMSTestSupport
import Testing

/// `Tests/Recipes`: keys of the service with swift-crypto and JWTKit, in a package outside of this repository.
///
/// The first build takes some minutes, most of them for BoringSSL, which swift-crypto contains: `make test` asks for it.
@Suite(
    .timeLimit(.minutes(30)), .onlyWithoutSanitizer,
    .enabled(if: ProcessInfo.processInfo.environment["NCLOUD_KMS_RECIPES"] != nil, "NCLOUD_KMS_RECIPES is not set")
)
struct RecipeTests {
    @Test func `swift-crypto and JWTKit take the keys`() async throws {
        let folder = try await OutsidePackage("recipes", copyOf: "Tests/Recipes").build()
        for (name, expected) in [("CryptoRecipe", "swift-crypto accepts"), ("JWTRecipe", "JWTKit accepts")] {
            let outcome = try await ServiceProcess.output("\(folder)/\(name)", of: [])
            #expect(outcome.status == 0, "\(outcome.log)")
            #expect(String(decoding: outcome.result, as: UTF8.self).hasPrefix(expected), "\(outcome.log)")
        }
    }
}
