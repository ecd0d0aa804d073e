import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// A real engine behind a name with several addresses.
@Suite(
    .enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"),
    .enabled(if: PrivateHosts.arePossible, "mount namespaces are refused"), .timeLimit(.minutes(5)))
struct SharedNameTests {
    /// What the first address does, which the resolver sorts before the engine's.
    enum FirstAddress: CaseIterable {
        case silent, refusing
    }

    @Test(arguments: FirstAddress.allCases)
    func `of two addresses one may be dead`(first: FirstAddress) async throws {
        let (kms, port) = (try EmulatedKMS(), try Nginx.freePort())
        let engine = try RedisServer(["--port", "\(port)", "--bind", "127.0.0.4"])
        let silent = first == .silent ? try UnansweringPort(host: 2, port: port) : nil
        let hosts = try PrivateHosts(["127.0.0.1 localhost", "127.0.0.2 engine.test", "127.0.0.4 engine.test"])
        let options = ["--shared", "redis://engine.test:\(port)", "--shared-plaintext"] + Fleet.patient
        let outcome = try await ServiceProcess.run(
            hosts.program, arguments: hosts.arguments(of: BuiltProducts.path(of: "ncloud-kms-rpc"), options),
            environment: kms.environment
        ) { process async throws in
            try await process.callUntilConnected()
        }
        #expect(outcome.status == 0, "\(outcome.log)")
        withExtendedLifetime((silent, engine)) {}
    }
}
