import CKMSBuild

/// The version of both programs and of the library.
package enum ProgramVersion {
    /// A semantic version (semver.org): what the programs print, `getStatus`, the OpenRPC document and the user agent have.
    package static let text = "0.2.0"

    /// The commit that the program was built from, with `-dirty` if the sources differ from it; `unknown` unless
    /// `make build` built it.
    package static var commit: String { cbuild_commit().map { String(cString: $0) } ?? "unknown" }

    /// The version of the Swift compiler, and of its runtime where that is linked statically.
    package static var swift: String { cbuild_swift().map { String(cString: $0) } ?? "6.3 or newer" }

    /// What a program prints as its version: its name and version on the first line, then a line for everything else
    /// that the report of a fault should name.
    ///
    /// - Parameter libraries: the loaded libraries, each with its version.
    package static func description(of program: String, libraries: [String]) -> String {
        (["\(program) \(text)", "commit \(commit)", "Swift \(swift)"] + libraries).joined(separator: "\n")
    }
}
