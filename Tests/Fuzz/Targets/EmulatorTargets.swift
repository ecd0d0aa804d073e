import KMSPlatform

@testable import KMSEmulator

let emulatorTargets = [
    FuzzTarget("seed", maximumBytes: 512, checkSeed),
    FuzzTarget("fault", maximumBytes: 96, checkFault),
    FuzzTarget("route", maximumBytes: 128, checkRoute),
]

private func checkSeed(_ input: [UInt8]) throws {
    // Making RSA keys takes too long.
    guard !input.holds("generate".utf8) || !input.holds("RSA".utf8) else { return }
    guard let seed = try? Seed(parsing: input) else { return }
    try require(ReferenceJSON(Array(input.droppingByteOrderMark())) != nil, "an accepted seed is JSON")
    try require(!seed.accessKeys.isEmpty, "there is an access key")
    let tags = Set(seed.keys.map { Array($0.keyTag.utf8) })
    try require(tags.count == seed.keys.count && !tags.contains([]), "every key has a tag of its own")
    try require(seed.tokens.allSatisfy { tags.contains(Array($0.keyTag.utf8)) }, "every token has a key")
    let versions = seed.keys.flatMap(\.versions)
    try require(versions.allSatisfy { GetPublicKeyBody.versions.contains($0.number) }, "versions are in range")
}

private func checkFault(_ input: [UInt8]) throws {
    guard let fault = try? Fault(parsing: input.text) else { return }
    if let rate = fault.trigger.rate { try require((0...1).contains(rate), "a probability") }
    if let count = fault.trigger.count { try require(count > 0, "a number of requests") }
    // Words may come in any order.
    let words = input.text.split(separator: ",").reversed().joined(separator: ",")
    try require(try Fault(parsing: words) == fault, "the order of words does not matter")
}

private func checkRoute(_ input: [UInt8]) throws {
    let target = input.text
    let path = target.prefix { $0 != "?" }
    if case .getPublicKey(let keyTag) = Route(target: target) {
        let parts = target.utf8.prefix { $0 != UInt8(ascii: "?") }.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        try require(parts.count == 6 && parts[4].count > 0, "the tag is one part of the path")
        if !target.contains("%") { try require(keyTag.utf8.elementsEqual(parts[4]), "the tag is as written") }
    }
    if case .control(let name, _) = Route(target: target) {
        try require(path.utf8.elementsEqual("/_emulator/\(name)".utf8), "the name is the rest of the path")
    }
    if let version = try? GetPublicKeyBody.version(in: input) {
        try require(ReferenceJSON(input)?["keyVersion"]?.integer == version, "the version of a body")
    }
}
