/// Walks over the elements of an array without making an array of them.
public struct JSONElementIterator: IteratorProtocol {
    private var walk: ContainerWalk

    init(_ value: JSONValue) {
        walk = ContainerWalk(value, .array)
    }

    public mutating func next() -> JSONValue? {
        walk.next { scanner throws(JSONError) in try scanner.nextElement() }.map {
            JSONValue(text: walk.text, token: $0)
        }
    }
}

/// Walks over the members of an object without making an array of them.
public struct JSONMemberIterator: IteratorProtocol {
    private var walk: ContainerWalk

    init(_ value: JSONValue) {
        walk = ContainerWalk(value, .object)
    }

    public mutating func next() -> (name: String, value: JSONValue)? {
        walk.next { scanner throws(JSONError) in try scanner.nextMember() }.map { member in
            let name = JSONValue(text: walk.text, token: member.name).string ?? ""
            return (name, JSONValue(text: walk.text, token: member.value))
        }
    }
}

/// A place in a container of a text that was checked as a whole.
private struct ContainerWalk {
    let text: [UInt8]
    /// Behind the opening bracket or the last item; nil behind the end, and for a value of another kind.
    private var offset: Int?

    init(_ value: JSONValue, _ kind: JSONKind) {
        text = value.text
        offset = value.kind == kind ? value.token.start + 1 : nil
    }

    mutating func next<Item>(_ step: (inout JSONScanner) throws(JSONError) -> Item?) -> Item? {
        guard let start = offset else { return nil }
        return text.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes, at: start, maximumDepth: .max)
            // Nothing can be thrown: the text was checked when it was parsed.
            let item = try? step(&scanner)
            offset = item == nil ? nil : scanner.offset
            return item
        }
    }
}
