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
        for old in [link, folder.appending(path: "Sources")]
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
        let variables = ["PATH", "HOME"].compactMap { name in
            ProcessInfo.processInfo.environment[name].map { "\(name)=\($0)" }
        }
        let path = folder.path
        return try await onOwnThread {
            let arguments = ["swift", "build", "--package-path", path]
            try ChildProcess("/usr/bin/env", arguments, environment: variables).waitForExit()
            return "\(path)/.build/debug"
        }
    }
}
