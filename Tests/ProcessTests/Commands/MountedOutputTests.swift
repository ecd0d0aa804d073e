import KMSPlatform
import KMSTestSupport
import Testing

/// `--output` to a file that is mounted by itself, as containers have them: nothing can take its place.
@Suite(.timeLimit(.minutes(5)), .enabled(if: PrivateHosts.arePossible, "mount namespaces are refused"))
struct MountedOutputTests {
    @Test(arguments: [false, true])
    func `a mounted file is written to, in a read-only folder, too`(folderIsReadOnly: Bool) async throws {
        let folder = try TemporaryDirectory()
        let source = try folder.write("source", "an old and longer text\n\(String(repeating: "x", count: 10_000))".utf8)
        let inner = folder.path("folder")
        #expect(mkdir(inner, 0o755) == 0)
        let target = try folder.write("folder/key.pem", [])
        var script = "mount --bind \(inner) \(inner)"
        if folderIsReadOnly { script += " && mount -o remount,bind,ro \(inner)" }
        script += " && mount --bind \(source) \(target) && exec \"$0\" \"$@\""
        try await EmulatedKMS.with { kms in
            let outcome = try await ServiceProcess.output(
                "/usr/bin/unshare",
                of: [
                    "--mount", "/bin/sh", "-c", script, BuiltProducts.path(of: "ncloud-kms-rpc"),
                    "get-public-key", "demo-rsa", "-o", target,
                ],
                environment: kms.environment)
            #expect(outcome.status == 0, "\(outcome.log)")
        }
        let text = String(decoding: try FileContents.of(source), as: UTF8.self)
        #expect(text.hasPrefix("-----BEGIN PUBLIC KEY-----\n") && text.hasSuffix("-----END PUBLIC KEY-----\n"))
    }
}
