import Foundation
import KMSTestSupport
import Testing

/// Everything in `protocol/transcripts`, played against the built programs.
struct TranscriptTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../protocol/transcripts").standardizedFileURL.path

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.filter { $0.hasSuffix(".transcript") }.sorted()
    }()

    @Test func `there are transcripts`() {
        #expect(!Self.names.isEmpty, "no *.transcript in \(Self.folder)")
    }

    @Test(arguments: names) func `the program behaves as the transcript says`(_ name: String) async throws {
        let text = try String(contentsOfFile: "\(Self.folder)/\(name)", encoding: .utf8)
        for session in try Transcript(parsing: text).sessions {
            guard let difference = try await TranscriptPlayer.play(session, folder: Self.folder) else { continue }
            Issue.record("protocol/transcripts/\(name):\(difference.lineNumber): \(difference)")
        }
    }
}
