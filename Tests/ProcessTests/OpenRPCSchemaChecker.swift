import KMSJSON
import KMSTestSupport

/// Checks values against the part of JSON Schema draft 7 that the OpenRPC document uses. A keyword that is none of them
/// is a violation, so that the document can't ask for something that nobody checks.
struct OpenRPCSchemaChecker {
    /// What `#/…` points into.
    let root: JSONValue

    private static let annotations: Set<String> = [
        "$schema", "title", "description", "default", "definitions", "examples",
    ]

    /// What is wrong with the value, each with its place; empty when it is valid.
    func violations(of value: JSONValue, against schema: JSONValue, at path: String = "$") -> [String] {
        if let isAllowed = schema.bool { return isAllowed ? [] : ["\(path) is not allowed"] }
        guard let keywords = schema.members else { return ["\(path): its schema is no object"] }
        return keywords.flatMap { keyword, argument in
            check(value, keyword, argument, schema, path)
        }
    }

    /// What a `#/…` stands for.
    func target(of reference: String) -> JSONValue? {
        guard reference.hasPrefix("#/") else { return nil }
        return reference.dropFirst(2).split(separator: "/").reduce(root as JSONValue?) { $0?[String($1)] }
    }

    private func check(
        _ value: JSONValue, _ keyword: String, _ argument: JSONValue, _ schema: JSONValue, _ path: String
    ) -> [String] {
        switch keyword {
        case "$ref":
            guard let target = argument.string.flatMap(target(of:)) else {
                return ["\(path): \(argument) leads nowhere"]
            }
            return violations(of: value, against: target, at: path)
        case "type":
            let types = argument.elements ?? [argument]
            return types.contains { isOfType(value, $0.string ?? "") } ? [] : ["\(path) is not \(argument.text)"]
        case "const": return value.isEqual(to: argument) ? [] : ["\(path) is not \(argument.text)"]
        case "enum":
            let isListed = argument.elements?.contains { value.isEqual(to: $0) } ?? false
            return isListed ? [] : ["\(path) is none of \(argument.text)"]
        case "allOf":
            return (argument.elements ?? []).flatMap { violations(of: value, against: $0, at: path) }
        case "oneOf":
            let results = (argument.elements ?? []).map { violations(of: value, against: $0, at: path) }
            let count = results.count { $0.isEmpty }
            return count == 1 ? [] : ["\(path) fits \(count) of oneOf: \(results.flatMap { $0 })"]
        case "required":
            let names = (argument.elements ?? []).compactMap(\.string)
            guard value.kind == .object else { return [] }
            return names.filter { value[$0] == nil }.map { "\(path).\($0) is missing" }
        case "properties": return checkMembers(value, path) { argument[$0] }
        case "patternProperties":
            return checkMembers(value, path) { name in
                argument.members?.first { name.matches($0.name) }?.value
            }
        case "additionalProperties":
            return checkMembers(value, path) { name in
                let isKnown =
                    schema["properties"]?[name] != nil
                    || (schema["patternProperties"]?.members ?? []).contains { name.matches($0.name) }
                return isKnown ? nil : argument
            }
        case "items":
            return (value.elements ?? []).enumerated().flatMap { index, element in
                violations(of: element, against: argument, at: "\(path)[\(index)]")
            }
        case "minimum": return compare(value, argument, >=, path)
        case "maximum": return compare(value, argument, <=, path)
        case "minLength": return compareLength(value, argument, >=, path)
        case "maxLength": return compareLength(value, argument, <=, path)
        case "pattern":
            guard let string = value.string, !string.matches(argument.string ?? "") else { return [] }
            return ["\(path) does not match \(argument.text)"]
        default:
            return Self.annotations.contains(keyword) ? [] : ["\(path): unknown keyword \(keyword)"]
        }
    }

    private func checkMembers(_ value: JSONValue, _ path: String, _ schema: (String) -> JSONValue?) -> [String] {
        (value.members ?? []).flatMap { name, member in
            schema(name).map { violations(of: member, against: $0, at: "\(path).\(name)") } ?? []
        }
    }

    private func isOfType(_ value: JSONValue, _ type: String) -> Bool {
        switch value.kind {
        case .object: type == "object"
        case .array: type == "array"
        case .string: type == "string"
        case .bool: type == "boolean"
        case .null: type == "null"
        case .number: type == "number" || (type == "integer" && value.integer != nil)
        }
    }

    private func compare(
        _ value: JSONValue, _ limit: JSONValue, _ isFine: (Double, Double) -> Bool, _ path: String
    ) -> [String] {
        guard let number = value.double, let bound = limit.double, !isFine(number, bound) else { return [] }
        return ["\(path) is \(value.text), beyond \(limit.text)"]
    }

    private func compareLength(
        _ value: JSONValue, _ limit: JSONValue, _ isFine: (Int, Int) -> Bool, _ path: String
    ) -> [String] {
        // JSON Schema counts characters as Unicode code points.
        guard let count = value.string?.unicodeScalars.count, let bound = limit.integer, !isFine(count, bound) else {
            return []
        }
        return ["\(path) has \(count) characters, beyond \(limit.text)"]
    }
}

extension JSONValue {
    /// Equality as JSON has it: the order of members and the spelling of numbers and strings do not count.
    func isEqual(to other: JSONValue) -> Bool {
        guard kind == other.kind else { return false }
        switch kind {
        case .null: return true
        case .bool: return bool == other.bool
        case .string: return string == other.string
        case .number: return integer == other.integer && double == other.double
        case .array:
            let (left, right) = (elements ?? [], other.elements ?? [])
            return left.count == right.count && zip(left, right).allSatisfy { $0.isEqual(to: $1) }
        case .object:
            let (left, right) = (members ?? [], other.members ?? [])
            return left.count == right.count
                && left.allSatisfy { member in other[member.name].map(member.value.isEqual(to:)) ?? false }
        }
    }
}

extension String {
    /// Whether a regular expression is found in it; a pattern that is none is found nowhere.
    fileprivate func matches(_ pattern: String) -> Bool {
        guard let expression = try? Regex(pattern) else { return false }
        return firstMatch(of: expression) != nil
    }
}
