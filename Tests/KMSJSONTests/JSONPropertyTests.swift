import Foundation
import KMSJSON
import KMSTestSupport
import Testing

/// A value tree, to be written by one implementation and read by others.
private indirect enum Tree: Equatable {
    case object([(String, Tree)])
    case array([Tree])
    case string(String)
    case integer(Int)
    case double(Double)
    case bool(Bool)
    case null

    static func == (left: Tree, right: Tree) -> Bool {
        switch (left, right) {
        case (.object(let left), .object(let right)):
            left.count == right.count && zip(left, right).allSatisfy { sameText($0.0, $1.0) && $0.1 == $1.1 }
        case (.array(let left), .array(let right)): left == right
        case (.string(let left), .string(let right)): sameText(left, right)
        case (.integer(let left), .integer(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.bool(let left), .bool(let right)): left == right
        case (.null, .null): true
        default: false
        }
    }

    /// Code point by code point: `==` of `String` takes canonical equivalents for equal.
    private static func sameText(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    static func random(depth: Int, _ generator: inout SeededGenerator) -> Tree {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .integer(Int(bitPattern: UInt(generator.next())) >> Int.random(in: 0..<64, using: &generator))
        case 3:
            let double = Double(bitPattern: generator.next())
            return .double(double.isFinite ? double : 0.1)
        case 4, 5: return .string(randomString(&generator))
        case 6, 7:
            return .array(
                (0..<Int.random(in: 0..<5, using: &generator)).map { _ in random(depth: depth - 1, &generator) })
        default:
            // Foundation keeps one of two members of the same name.
            return .object(
                (0..<Int.random(in: 0..<20, using: &generator)).map {
                    ("\($0)" + randomString(&generator), random(depth: depth - 2, &generator))
                })
        }
    }

    private static func randomString(_ generator: inout SeededGenerator) -> String {
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0..<30, using: &generator) {
            let bound: UInt32 =
                [0x20, 0x80, 0x80, 0x80, 0x800, 0x10000, 0x110000].randomElement(using: &generator) ?? 0x80
            if let scalar = Unicode.Scalar(UInt32.random(in: 0..<bound, using: &generator)) { scalars.append(scalar) }
        }
        return String(scalars)
    }

    func write(to json: inout JSONWriter) {
        switch self {
        case .object(let members):
            json.object { object in for (name, value) in members { object.member(named: name) { value.write(to: &$0) } }
            }
        case .array(let elements): json.array { array in for element in elements { element.write(to: &array) } }
        case .string(let string): json.value(string)
        case .integer(let integer): json.value(integer)
        case .double(let double): json.value(double)
        case .bool(let bool): json.value(bool)
        case .null: json.null()
        }
    }

    /// What our reader reads, given the tree that was written: a number is what the writer took it for.
    init?(_ value: JSONValue, like written: Tree) {
        switch (value.kind, written) {
        case (.object, .object(let members)):
            guard let read = value.members, read.count == members.count else { return nil }
            let trees = zip(read, members).compactMap { read, member in
                Tree(read.value, like: member.1).map { (read.name, $0) }
            }
            self = .object(trees)
        case (.array, .array(let elements)):
            guard let read = value.elements, read.count == elements.count else { return nil }
            self = .array(zip(read, elements).compactMap { Tree($0, like: $1) })
        case (.string, _): self = .string(value.string ?? "")
        case (.number, .integer): self = .integer(value.integer ?? 0)
        case (.number, _): self = .double(value.double ?? .nan)
        case (.bool, _): self = .bool(value.bool ?? false)
        case (.null, _): self = .null
        default: return nil
        }
    }

    /// What Foundation reads, likewise.
    init?(_ value: Any, like written: Tree) {
        switch written {
        case .object(let members):
            guard let read = value as? [String: Any], read.count == members.count else { return nil }
            // A dictionary of Foundation has no order, and takes canonical equivalents for equal.
            self = .object(
                members.compactMap { name, tree in read[name].flatMap { Tree($0, like: tree) }.map { (name, $0) } })
        case .array(let elements):
            guard let read = value as? [Any], read.count == elements.count else { return nil }
            self = .array(zip(read, elements).compactMap { Tree($0, like: $1) })
        case .string:
            guard let string = value as? String else { return nil }
            self = .string(string)
        case .integer:
            guard let number = value as? NSNumber else { return nil }
            self = .integer(number.intValue)
        case .double(let double):
            guard let number = value as? NSNumber else { return nil }
            // Foundation multiplies by powers of ten, and may miss the nearest double by some units in the last place.
            let isNear = abs(number.doubleValue - double) <= abs(double) * 1e-14
            self = .double(isNear ? double : number.doubleValue)
        case .bool:
            guard let bool = value as? Bool else { return nil }
            self = .bool(bool)
        case .null:
            guard value is NSNull else { return nil }
            self = .null
        }
    }
}

@Suite struct JSONPropertyTests {
    @Test(arguments: 0..<8)
    func `what is written is read back equal, by us and by Foundation`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            let tree = Tree.random(depth: 6, &generator)
            var json = JSONWriter()
            tree.write(to: &json)
            let ours = try JSONValue(parsing: json.bytes)
            let isOurs = Tree(ours, like: tree) == tree
            #expect(isOurs, "read differently by us: \(excerpt(json.bytes))")
            let theirs = try JSONSerialization.jsonObject(with: Data(json.bytes), options: .fragmentsAllowed)
            let isTheirs = Tree(theirs, like: tree) == tree
            #expect(isTheirs, "read differently by Foundation: \(excerpt(json.bytes))")
        }
    }

    @Test(arguments: 0..<8)
    func `what we accept of mutated texts Foundation accepts too`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: 1_000 + seed)
        var accepted = 0
        for _ in 0..<100 {
            var json = JSONWriter()
            Tree.random(depth: 3, &generator).write(to: &json)
            for _ in 0..<15 {
                let text = mutated(json.bytes, &generator)
                if isAcceptedByBoth(text) { accepted += 1 }
            }
        }
        #expect(accepted > 50, "some mutations must leave a text that is valid, or nothing was compared")
    }

    @Test func `what we accept of random bytes Foundation accepts too`() {
        var generator = SeededGenerator(seed: 7)
        let alphabet =
            Array("{}[]\":,\\utrfalsn0123456789eE+-. \n".utf8) + [0x00, 0x1F, 0x80, 0xC3, 0xA9, 0xED, 0xF0, 0xFF]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            _ = isAcceptedByBoth(text)
        }
    }

    private func excerpt(_ text: [UInt8]) -> String { String(decoding: text.prefix(300), as: UTF8.self) }

    /// Whether we accept the text; an issue is recorded when Foundation does not. What we accept is walked through, too.
    private func isAcceptedByBoth(_ text: [UInt8]) -> Bool {
        guard let value = try? JSONValue(parsing: text) else { return false }
        visit(value)
        // Foundation refuses numbers beyond a double's range, which RFC 8259 leaves to the reader.
        if !hasHugeNumber(value) {
            #expect(throws: Never.self, "\(text)") {
                try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
            }
        }
        return true
    }

    private func visit(_ value: JSONValue) {
        _ = (value.string, value.integer, value.double, value.bool, value.duplicateName)
        value.elements?.forEach(visit)
        value.members?.forEach { visit($0.value) }
    }

    private func hasHugeNumber(_ value: JSONValue) -> Bool {
        if let double = value.double { return !double.isFinite }
        let children = value.elements ?? value.members?.map(\.value) ?? []
        return children.contains(where: hasHugeNumber)
    }

    private func mutated(_ text: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var text = text
        let interesting = Array("{}[]\":,\\u0eE+-. \n".utf8) + [0x00, 0x80, 0xC3, 0xED, 0xF4]
        for _ in 0..<Int.random(in: 1...2, using: &generator) {
            let index = Int.random(in: 0...max(0, text.count - 1), using: &generator)
            let byte = interesting.randomElement(using: &generator) ?? 0
            switch Int.random(in: 0..<5, using: &generator) {
            case 0 where index < text.count: text[index] = byte
            case 1: text.insert(byte, at: min(index, text.count))
            case 2 where index < text.count: text.remove(at: index)
            case 3 where index < text.count: text[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            default: text.removeSubrange(min(index, text.count)...)
            }
        }
        return text
    }
}
