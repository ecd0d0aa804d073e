import Foundation
import KMSTestSupport
import Testing

/// How a build learns its commit.
@Suite(.timeLimit(.minutes(5))) struct BuildIdentityTests {
    private static var repository: String {
        let file: String = #filePath
        return String(file.prefix(upTo: file.range(of: "/Tests/ProcessTests/")!.lowerBound))
    }

    private func output(_ script: String, in folder: TemporaryDirectory) async throws -> String {
        let outcome = try await ServiceProcess.output(
            "/bin/sh", of: ["-euc", "cd \"$0\"; \(script)", folder.path("")],
            environment: [
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
                "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
            ])
        #expect(outcome.status == 0, "\(outcome.log)")
        return String(decoding: outcome.result, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test func `the commit comes from the repository, or from its archive`() async throws {
        let folder = try TemporaryDirectory()
        let head = try await output(
            """
            mkdir -p source/.ci
            cp '\(Self.repository)/.ci/commit' source/.ci
            cp '\(Self.repository)/.gitattributes' source
            cd source
            git init -q
            git add .
            git commit -qm first
            git rev-parse HEAD
            """, in: folder)
        #expect(head.count == 40)
        #expect(try await output("source/.ci/commit", in: folder) == head)
        #expect(try await output("touch -d yesterday source/.gitattributes; source/.ci/commit", in: folder) == head)

        let changed = try await output("echo '# more' >> source/.gitattributes; source/.ci/commit", in: folder)
        #expect(changed == "\(head)-dirty")

        let archived = try await output(
            "git -C source archive --prefix=archived/ HEAD | tar -x; archived/.ci/commit", in: folder)
        #expect(archived == head)

        // Sources in another project's repository: its commits are not ours.
        let alone = try await output(
            "mkdir -p source/vendored/.ci; cp '\(Self.repository)/.ci/commit' source/vendored/.ci; source/vendored/.ci/commit",
            in: folder)
        #expect(alone == "unknown")
    }
}
