import KMSJSON
import KMSPlatform

@testable import NCloudKMS

let answerTargets = [
    FuzzTarget("answer", maximumBytes: 1_024, checkAnswer),
    FuzzTarget("headers", maximumBytes: 512, checkHeaders),
    FuzzTarget("metadata", maximumBytes: 512, checkMetadata),
    FuzzTarget("reply", maximumBytes: 256, checkReply),
    FuzzTarget("entry", maximumBytes: 256, checkEntry),
]

// MARK: The service's answers

private let accessKeyID = "ACCESSKEYID12345"
private let secretKey = "SECRETKEY67890abcdef"

/// The first two bytes are the status, the rest is the body.
private func checkAnswer(_ input: [UInt8]) throws {
    guard input.count >= 2 else { return }
    let status = Int(input[0]) << 8 | Int(input[1])
    let body = Array(input[2...])
    let credentials = try Credentials(accessKeyID: accessKeyID, secretAccessKey: SecretBytes(secretKey))
    let sent = SentCredentials(credentials, signature: nil)
    let document = ReferenceJSON(Array(body.droppingByteOrderMark()))
    switch ServiceAnswer(status: status, body: body, to: sent) {
    case .publicKey(let pem):
        try require(status == 200, "a key comes with 200")
        try require(areSame(pem.string, document?["data"]?["publicKey"]?.string), "the key is data.publicKey")
        try require(areSame(document?["code"]?.string, "SUCCESS"), "a key comes with SUCCESS")
    case .failure(let failure):
        let isSuccess =
            status == 200 && document?["code"]?.string == "SUCCESS" && document?["data"]?["publicKey"]?.string != nil
        let isAmbiguous = document.map { $0.hasDuplicateName || $0["data"]?.hasDuplicateName == true } ?? true
        let hasError = document?["error"]?.isObject == true || document?["responseError"]?.isObject == true
        try require(!isSuccess || isAmbiguous || hasError, "a success has a key")
        for text in [failure.kmsCode, failure.kmsMessage].compactMap(\.self) {
            try require(text.utf8.count <= ServiceText.maximumBytes, "texts are cut")
            for secret in [accessKeyID, secretKey, "PRIVATE KEY"] {
                try require(!text.contains(secret), "no text repeats a secret")
            }
        }
        try require(!failure.error.message.isEmpty, "every error has a message")
    }
}

// MARK: Headers and chunked bodies

/// Header lines up to an empty one, then the body.
private func checkHeaders(_ input: [UInt8]) throws {
    let whole = ResponseCollector(clock: SystemClock())
    let pieces = ResponseCollector(clock: SystemClock())
    var rest = input[...]
    while !whole.headerIsComplete, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(rest[...end])
        rest = rest[(end + 1)...]
        let continues = line.withUnsafeBytes { whole.takeHeaderLine($0) }
        try require(line.withUnsafeBytes { pieces.takeHeaderLine($0) } == continues, "both take the line")
        guard continues else { return }
    }
    try require(whole.headers == pieces.headers && whole.status == pieces.status, "the same headers")
    for value in [whole.headers.date, whole.headers.age, whole.headers.retryAfter, whole.headers.requestID] {
        let isShort = value.map { $0.utf8.count <= 3 * ResponseCollector.longestValueBytes } ?? true
        try require(isShort && value?.contains("\n") != true, "values are short lines")
    }
    guard whole.headerIsComplete else { return }

    let wholeContinues = Array(rest).withUnsafeBytes { whole.takeBody($0) }
    let piecesContinue = rest.allSatisfy { byte in withUnsafeBytes(of: byte) { pieces.takeBody($0) } }
    try require(wholeContinues == piecesContinue, "both take the body")
    try require(whole.body == pieces.body, "the same body however it arrives")
    try require(whole.bodyIsComplete == pieces.bodyIsComplete, "complete however it arrives")
    try require(whole.isMalformed == pieces.isMalformed, "malformed however it arrives")
    try require(whole.isTooLarge == pieces.isTooLarge, "too large however it arrives")

    // For the next answer on the same connection.
    whole.reset()
    let isFresh = whole.status == 0 && whole.body.isEmpty && whole.headers == HTTPResponse.Headers()
    try require(isFresh && !whole.headerIsComplete && !whole.hasSurplus, "nothing is left after a reset")
}

// MARK: The metadata service

private func checkMetadata(_ input: [UInt8]) throws {
    if let role = try? ServerRoleDocument.roleID(in: input) {
        try require(!role.isEmpty && !role.contains("/") && !role.contains("%"), "a role is one part of a path")
    }
    let reference = ReferenceJSON(input)
    do {
        let document = try ServerRoleDocument(input)
        try require(areSame(document.accessKeyID, reference?["AccessKeyId"]?.string), "the access key")
        let secret = document.secretAccessKey.withBytes { Array($0) }
        try require(areSame(secret.text, reference?["SecretAccessKey"]?.string), "the secret")
    } catch let problem as ServerRoleDocument.Problem {
        if let secret = reference?["SecretAccessKey"]?.string, secret.utf8.count >= 16 {
            let isCode = areSame(reference?["Code"]?.string, secret)
            try require(!problem.text.contains(secret) || isCode, "no error repeats the secret")
        }
    }
}

// MARK: The shared engine

private func checkReply(_ input: [UInt8]) throws {
    let whole = try replies(to: [input[...]])
    let pieces = try replies(to: input.indices.map { input[$0...$0] })
    try require(whole.replies == pieces.replies, "the same replies byte by byte")
    try require(whole.problem == pieces.problem, "the same problem byte by byte")
    for reply in whole.replies {
        if let grant = Lease.Grant(reply, asked: 4) { try require((0...4).contains(grant.count), "no more than asked") }
        if let time = reply.time { try require(time >= 0, "a time is after 1970") }
        _ = FlightReply(reply)
        _ = try? reply.asText()
        try checkErrors(in: reply)
    }
}

private func checkErrors(in reply: EngineReply) throws {
    switch reply {
    case .array(let elements): for element in elements { try checkErrors(in: element) }
    case .error(let error):
        let login = error.lossOfLogin(user: "user", SharedStateConfiguration.Names())
        let passes = (error.loss.kind == .unreachable, login.kind == .unreachable)
        try require(passes.0 == passes.1, "an error that passes by itself does so at a login too")
        try require(error.text.utf8.count <= 256 && error.loss.message.utf8.count < 512, "texts are cut")
        // It may hold the password. The code alone may be told.
        let isTold = error.text.utf8.count > 32 && login.message.contains(error.text)
        try require(!isTold, "the text of the answer to a login is not repeated")
    case .status, .integer, .bytes, .null: break
    }
}

private func replies(
    to chunks: [ArraySlice<UInt8>]
) throws -> (replies: [EngineReply], problem: EngineReplyReader.Problem?) {
    let reader = EngineReplyReader()
    var replies: [EngineReply] = []
    for chunk in chunks {
        do {
            try chunk.withUnsafeBytes { try reader.feed($0) }
            while let reply = try reader.next() { replies.append(reply) }
        } catch let problem as EngineReplyReader.Problem {
            return (replies, problem)
        }
    }
    return (replies, nil)
}

/// The first byte chooses whether to seal the rest as an entry's PEM text, or to read it as a whole entry; and whether
/// the start is near the present.
private func checkEntry(_ input: [UInt8]) throws {
    guard let first = input.first else { return }
    let rest = Array(input.dropFirst())
    let seal = try SharedSeal(secret: SecretBytes(secretKey), baseURL: "https://localhost")
    let request = PublicKeyRequest(keyTag: try KeyTag("a"), version: nil)
    guard first & 1 == 1 else {
        do throws(SharedEntry.Rejection) {
            _ = try SharedEntry(rest, for: request, seal)
        } catch {
            return try require(error.sentence.hasSuffix("."), "a rejection says why")
        }
        // Nobody can make a tag without the key.
        throw BrokenRule(description: "an entry is authenticated")
    }
    let now: Int64 = 1_767_225_600_000
    let number = rest.prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) } >> 1
    // Within 17 minutes of it.
    let started = first & 2 == 0 ? Int64(number) : now - Int64(number & 0xF_FFFF) + 0x10000
    let entry = SharedEntry(startedAt: started, attempts: 1, requestID: rest.text, pem: rest)
    let timeToLive = Duration.seconds(300)
    switch Result(catching: { () throws(SharedEntry.Rejection) in
        try entry.age(wallClock: now, timeToLive: timeToLive)
    }) {
    case .success(let age):
        try require(Duration.milliseconds(now - entry.startedAt) == age, "the age is the time since the start")
        let isYoung = SharedEntry.isYoungEnough(age, for: timeToLive)
        try require(isYoung == (age <= .seconds(298)), "young by any clock that counts as equal")
    case .failure(let rejection):
        try require(rejection == (entry.startedAt > now ? .fromTheFuture : .aged), "why it is refused")
    }
    guard let text = entry.text(for: request, seal) else { return }
    try require(try SharedEntry(text, for: request, seal) == entry, "a sealed entry can be read")
    let other = PublicKeyRequest(keyTag: request.keyTag, version: try KeyVersion(1))
    try require((try? SharedEntry(text, for: other, seal)) == nil, "it is for one version")
    let names = [seal.name(of: request), seal.name(of: other)].compactMap(\.self)
    try require(Set(names).count == 2 && names.allSatisfy { $0.utf8.count == 32 }, "each version has its own name")
    var changed = text
    changed[Int(first >> 1) % changed.count] ^= 1
    try require((try? SharedEntry(changed, for: request, seal)) == nil, "a changed entry is refused")
}
