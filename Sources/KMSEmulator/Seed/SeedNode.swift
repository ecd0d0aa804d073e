import KMSJSON

/// One value of a seed's text and the path to it, so that every error says where it is.
struct SeedNode {
    let path: String
    let value: JSONValue

    func failure(_ problem: String) -> SeedError { SeedError(path, problem) }

    /// The members of an object, which may have only these names, each at most once.
    func object(names: Set<String>) throws(SeedError) -> SeedObject {
        guard let members = value.members else { throw failure("must be an object") }
        if let name = value.duplicateName { throw failure("the member \"\(name)\" occurs twice") }
        for member in members where !names.contains(member.name) {
            throw failure(
                "unknown member \"\(member.name)\"; the members are \(names.sorted().joined(separator: ", "))")
        }
        return SeedObject(
            path: path, members: Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }))
    }

    func elements() throws(SeedError) -> [SeedNode] {
        guard let elements = value.elements else { throw failure("must be an array") }
        return elements.enumerated().map { SeedNode(path: "\(path)[\($0.offset)]", value: $0.element) }
    }

    func string() throws(SeedError) -> String {
        guard let string = value.string else { throw failure("must be a string") }
        return string
    }

    func nonEmptyString() throws(SeedError) -> String {
        let string = try string()
        guard !string.isEmpty else { throw failure("must not be empty") }
        return string
    }

    func integer(in range: ClosedRange<Int>) throws(SeedError) -> Int {
        guard let integer = value.integer, range.contains(integer) else {
            throw failure("must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func oneOf<Choice: RawRepresentable & CaseIterable>(
        _ choices: Choice.Type
    ) throws(SeedError) -> Choice where Choice.RawValue == String {
        guard let text = value.string, let choice = Choice(rawValue: text) else {
            throw failure("must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }
}

/// The members of one object of a seed.
struct SeedObject {
    let path: String
    let members: [String: JSONValue]

    func failure(_ problem: String) -> SeedError { SeedError(path, problem) }

    subscript(name: String) -> SeedNode? {
        members[name].map { SeedNode(path: path.isEmpty ? name : "\(path).\(name)", value: $0) }
    }

    func required(_ name: String) throws(SeedError) -> SeedNode {
        guard let node = self[name] else { throw failure("the member \"\(name)\" is missing") }
        return node
    }
}

/// What is wrong with a seed, and where.
package struct SeedError: Error, Equatable, CustomStringConvertible {
    /// The path of the member, such as `keys[0].versions[1].status`; empty for the whole text.
    let path: String
    let problem: String

    init(_ path: String, _ problem: String) {
        self.path = path
        self.problem = problem
    }

    package var description: String { path.isEmpty ? problem : "\(path): \(problem)" }
}
