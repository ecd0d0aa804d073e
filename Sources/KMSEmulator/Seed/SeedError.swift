/// What is wrong with a seed, and where.
package struct SeedError: Error, Equatable, CustomStringConvertible {
    /// The member, as `keys[0].versions[1].status`; empty for the whole text.
    package let path: String
    package let problem: String

    package init(_ path: String, _ problem: String) {
        self.path = path
        self.problem = problem
    }

    package var description: String { path.isEmpty ? problem : "\(path): \(problem)" }
}
