import KMSJSON
import KMSPlatform

@testable import KMSJSONRPC
@testable import KMSService
@testable import NCloudKMS

let jsonTargets = [
    FuzzTarget("json", maximumBytes: 1_024, checkJSON),
    FuzzTarget("message", maximumBytes: 512, checkMessage),
    FuzzTarget("parameters", maximumBytes: 512, checkParameters),
]

// MARK: Texts

private func checkJSON(_ input: [UInt8]) throws {
    let reference = ReferenceJSON(input)
    let value = try? JSONValue(parsing: input)
    try require((value == nil) == (reference == nil), "both readers accept or refuse it: ours \(value != nil)")
    guard let value, let reference else { return }
    try requireSame(value, reference)

    let compacted = value.compacted
    guard let again = ReferenceJSON(compacted) else { throw BrokenRule(description: "the compacted text is JSON") }
    try requireSame(value, again)
    try require(!compacted.contains(UInt8(ascii: "\n")), "the compacted text is one line")

    guard let text = value.string else { return }
    var writer = JSONWriter()
    writer.value(text)
    try require(areSame(ReferenceJSON(writer.bytes)?.string, text), "a written string can be read again")
}

private func requireSame(_ value: JSONValue, _ reference: ReferenceJSON) throws {
    switch reference {
    case .null: try require(value.isNull, "null")
    case .bool(let truth): try require(value.bool == truth, "\(truth)")
    case .number(let text):
        try require(value.kind == .number && value.bytes.elementsEqual(text.utf8), "the number \(text)")
        try require(value.integer == reference.integer, "the integer of \(text): \(value.integer as Any)")
    case .string(let text): try require(areSame(value.string, text), "the string \(text)")
    case .array(let elements):
        let ours = value.elements ?? []
        try require(value.kind == .array && ours.count == elements.count, "\(elements.count) elements")
        for (element, other) in zip(ours, elements) { try requireSame(element, other) }
    case .object(let members):
        let ours = value.members ?? []
        try require(value.kind == .object && ours.count == members.count, "\(members.count) members")
        try require((value.duplicateName != nil) == reference.hasDuplicateName, "a name occurs twice")
        for (member, other) in zip(ours, members) {
            try require(areSame(member.name, other.name), "the name \(other.name)")
            try requireSame(member.value, other.value)
        }
    }
}

// MARK: Messages

private enum MessageKind: Equatable {
    case request, notification, response, invalid
}

private func checkMessage(_ input: [UInt8]) throws {
    let reference = ReferenceJSON(input)
    let kind: MessageKind? = try input.withUnsafeBufferPointer { bytes in
        var scanner = JSONScanner(bytes)
        scanner.skipWhiteSpace()
        guard let message = try? MessageReader.read(&scanner), (try? scanner.expectEnd()) != nil else { return nil }
        switch message {
        case .request(let request):
            guard let id = request.id, let reference else { return .invalid }
            try requireSame(JSONValue(copying: id, from: bytes), reference["id"] ?? .bool(false))
            try require(areSame(request.method.string(from: bytes), reference["method"]?.string), "the method")
            return .request
        case .notification: return .notification
        case .response: return .response
        case .invalid(_, let id):
            if let id { try requireSame(JSONValue(copying: id, from: bytes), reference?["id"] ?? .bool(false)) }
            return .invalid
        }
    }
    try require(kind == reference.map(kindOfMessage), "the kind of message, not \(kind as Any)")
}

/// The rules of JSON-RPC 2.0, and of `protocol/`.
private func kindOfMessage(_ message: ReferenceJSON) -> MessageKind {
    guard case .object = message else { return .invalid }
    if message["method"] == nil, message["result"] != nil || message["error"] != nil { return .response }
    let paramsAreValid =
        switch message["params"] {
        case nil, .null, .array, .object: true
        default: false
        }
    let idIsValid =
        switch message["id"] {
        case nil, .null, .string, .number: true
        default: false
        }
    guard !message.hasDuplicateName, message["params"]?.hasDuplicateName != true, paramsAreValid, idIsValid,
        areSame(message["jsonrpc"]?.string, "2.0"), message["method"]?.string != nil
    else { return .invalid }
    return message["id"] == nil ? .notification : .request
}

// MARK: Parameters

private func checkParameters(_ input: [UInt8]) throws {
    guard let reference = ReferenceJSON(input), !reference.hasDuplicateName else { return }
    try input.withUnsafeBufferPointer { bytes in
        var scanner = JSONScanner(bytes)
        guard let token = try? scanner.scanText(), token.kind == .object || token.kind == .array else { return }
        let params = RawParameters(bytes: bytes, token: token)
        let request = try? GetPublicKey.Request(params)
        let signature = try? SignatureQuery(params)
        guard case .object = reference else {
            return try require(signature == nil, "verifySignature has no parameters by position")
        }
        for query in [request?.query, signature?.key].compactMap(\.self) {
            try require(areSame(query.keyTag.text, reference["keyTag"]?.string), "the key tag")
        }
        if let query = request?.query {
            try require(query.version?.number == reference["keyVersion"]?.integer, "the version")
        }
    }
}
