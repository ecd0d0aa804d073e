import KMSPlatform
import KMSTestSupport
import Testing

/// `make install`, without building anything: it gets the programs that the tests run, and no pages.
@Suite(.timeLimit(.minutes(5))) struct InstallTests {
    private static var repository: String {
        let file: String = #filePath
        return String(file.prefix(upTo: file.range(of: "/Tests/ProcessTests/")!.lowerBound))
    }

    @Test func `the plugin of sigstore is a relative link beside the program, under DESTDIR`() async throws {
        let folder = try TemporaryDirectory()
        let share = folder.path("share")
        try ChildProcess.run("/bin/mkdir", ["-p", "\(share)/man/man1"])
        let built = String(BuiltProducts.path(of: "").dropLast())
        let bin = folder.path("root/opt/kms/bin")
        // Twice, as an update does.
        for _ in 0..<2 {
            try ChildProcess.run(
                "/usr/bin/make",
                [
                    "-C", Self.repository, "-o", "man", "install", "DESTDIR=\(folder.path("root"))", "PREFIX=/opt/kms",
                    "BUILT=\(built)", "SHARE=\(share)",
                ])
        }
        #expect(
            Set(try entries(ofFolder: bin)) == ["ncloud-kms-rpc", "ncloud-kms-emulator", "sigstore-kms-ncloud"])
        #expect(linkTarget("\(bin)/sigstore-kms-ncloud") == "ncloud-kms-rpc")

        // It works where the tree is moved to.
        try ChildProcess.run("/bin/mv", [folder.path("root/opt"), folder.path("moved")])
        let outcome = try await ServiceProcess.output(
            folder.path("moved/kms/bin/sigstore-kms-ncloud"), of: ["v1", SigstoreCall("k").defaultAlgorithm])
        #expect(outcome.status == 0)
    }
}
