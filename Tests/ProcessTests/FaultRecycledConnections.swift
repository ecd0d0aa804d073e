import KMSEmulator
import KMSTestSupport

/// Calls that each become a request, as many at once as there may be connections, and more waiting.
enum RecycledConnections {
    private static let keyCount = 200

    /// Enough keys that no two calls under way ask for the same one, and share its request.
    static let seed = Seed(keys: (0..<keyCount).map { Seed.Key("k\($0)", .ecdsa, [demoKey]) })

    static let arguments = ["--rate-per-key", "0", "--cache-ttl", "0", "--max-in-flight", "64"]

    /// How many of a number of calls fail.
    static func failures(of count: Int, _ process: ServiceProcess) async throws -> Int {
        let text = (0..<count).map { Lines.getPublicKey($0, "k\($0 % keyCount)") + "\n" }.joined()
        let writer = Task { try await onOwnThread { try process.send(Array(text.utf8)) } }
        let failures = try await process.nextFaultAnswers(count).count { $0.code != nil }
        try await writer.value
        return failures
    }
}
