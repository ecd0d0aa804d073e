import KMSJSON
import KMSPlatform
import Logging
import NCloudKMS

@testable import KMSCommands

let clientTargets = [
    FuzzTarget("log", maximumBytes: 256, checkLog),
    FuzzTarget("sigstore", maximumBytes: 512, checkSigstore),
]

// MARK: Log lines

/// The message, a line feed, the value of a field.
private func checkLog(_ input: [UInt8]) throws {
    let fields = input.fields(2)
    let number = input.count
    let members = Logger.Metadata([(fields[0], .string(fields[1])), ("b", "c")]) { first, _ in first }
    func line(_ format: LogFormat) -> [UInt8] {
        format.line(
            level: .info, message: fields[0],
            metadata: [
                ("value", .string(fields[1])), ("number", .stringConvertible(number)),
                ("list", .array([.dictionary(members)])),
            ], wallClockMilliseconds: 0)
    }
    let text = line(.text)
    let json = line(.json)
    for line in [text, json] {
        guard let line = String(validating: line, as: UTF8.self) else {
            throw BrokenRule(description: "a line is UTF-8")
        }
        try require(!line.unicodeScalars.contains(where: movesText), "a line changes no terminal: \(line)")
    }
    let start = "1970-01-01T00:00:00.000Z info "
    try require(text.starts(with: start.utf8), "a text begins with time and level")
    let entry = ReferenceJSON(json)
    try require(areSame(entry?["message"]?.string, fields[0]), "the message can be read")
    try require(areSame(entry?["value"]?.string, fields[1]), "the value can be read")
    try require(entry?["number"]?.integer == number, "the number can be read")
    guard case .array(let list) = entry?["list"] else { throw BrokenRule(description: "the list can be read") }
    try require(list.count == 1 && areSame(list[0][fields[0]]?.string, fields[1]), "a member can be read")
}

private func movesText(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0x2028...0x2029: true
    // Bidirectional controls.
    case 0x061C, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
}

// MARK: The sigstore plugin

private func checkSigstore(_ input: [UInt8]) throws {
    let requested: KeyVersion?
    let used: KeyVersion?
    do throws(SigstoreError) {
        let arguments = try SigstoreArguments([Array("v1".utf8)] + (input.isEmpty ? [] : [input]))
        _ = try SigstoreDeadline.time(for: arguments, now: 1_767_225_600_000)
        let key = try SigstoreKey(arguments)
        let signature = try SigstoreSignature(arguments)
        requested = key.version
        used = try signature.version(requested: requested)
    } catch {
        try require(!error.message.isEmpty && !error.message.contains("\n"), "an error is one line")
        return
    }
    try require(requested == nil || used == requested, "no other version than the requested one")
    let options = ReferenceJSON(input)?["initOptions"]
    try require(options?["keyResourceID"]?.string?.isEmpty == false, "a call names its key")
}
