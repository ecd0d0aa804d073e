import CKMSHiredis
import CKMSOpenSSL
import KMSPlatform

/// A script for the engine, in Lua.
struct EngineScript: Sendable {
    let source: [UInt8]
    /// The name under which the engine keeps it: 40 lower-case hexadecimal digits.
    let sha1: [UInt8]

    /// Grants slots of a key's budget.
    static let budget = EngineScript(source: PackageResources.budget_lua)
    /// Lets one process fetch a key while the others wait for it.
    static let flight = EngineScript(source: PackageResources.flight_lua)

    init(source: [UInt8]) {
        self.source = source
        // If OpenSSL has no SHA-1 here, the engine does not know the digest and is sent the source.
        sha1 = Self.sha1(of: source)
    }

    /// The digest of a text as scripts know it: 40 lower-case hexadecimal digits.
    static func sha1(of text: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        _ = SHA1(text, text.count, &digest)
        return Array(digest.hexadecimal.utf8)
    }
}

/// A command to the engine: its words.
struct EngineCommand: Sendable {
    /// The script that it runs; nil for another command.
    let script: EngineScript?
    /// All words, one after the other; those of a script follow its name or source.
    private var bytes: [UInt8] = []
    private var lengths: [Int] = []

    /// Any command but one that runs a script.
    init(_ words: String...) {
        script = nil
        for word in words { append(word.utf8) }
    }

    /// Runs a script.
    ///
    /// - Parameters:
    ///   - keys: the names that it reads and writes.
    ///   - arguments: what else it is given.
    static func script(_ script: EngineScript, keys: [String], arguments: [[UInt8]]) -> EngineCommand {
        var command = EngineCommand(script)
        command.append("\(keys.count)".utf8)
        for key in keys { command.append(key.utf8) }
        for argument in arguments { command.append(argument) }
        return command
    }

    private init(_ script: EngineScript) { self.script = script }

    private mutating func append(_ word: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: word)
        lengths.append(bytes.count - start)
    }

    /// Lends the command as it is sent.
    ///
    /// - Parameter withSource: whether to send a script's source instead of its digest.
    func withFormatted<Result>(withSource: Bool = false, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { bytes in
            var words: [UnsafeBufferPointer<UInt8>] = []
            var start = 0
            for length in lengths {
                words.append(UnsafeBufferPointer(rebasing: bytes[start..<(start + length)]))
                start += length
            }
            guard let script else { return Self.format(words, body) }
            let verb: StaticString = withSource ? "EVAL" : "EVALSHA"
            return (withSource ? script.source : script.sha1).withUnsafeBufferPointer { name in
                Self.format([verb.bytes, name] + words, body)
            }
        }
    }

    /// Lends the command that logs in. No memory of it is left.
    static func withLogin<Result, Failure: Error>(
        user: String, password: SecretBytes?, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let verb: StaticString = "AUTH"
        let user = Array(user.utf8)
        return try user.withUnsafeBufferPointer { user throws(Failure) in
            guard let password else {
                return try format([verb.bytes, user, UnsafeBufferPointer(start: nil, count: 0)], body)
            }
            return try password.withBytes { password throws(Failure) in
                try format([verb.bytes, user, password], body)
            }
        }
    }

    private static func format<Result, Failure: Error>(
        _ words: [UnsafeBufferPointer<UInt8>], _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let empty: StaticString = ""
        var pointers: [UnsafePointer<CChar>?] = words.map { word in
            UnsafeRawPointer(word.baseAddress ?? empty.utf8Start).assumingMemoryBound(to: CChar.self)
        }
        let lengths = words.map(\.count)
        var formatted: UnsafeMutablePointer<CChar>?
        let count = Int(redisFormatCommandArgv(&formatted, CInt(words.count), &pointers, lengths))
        // Fails only without memory, where Swift's own allocations trap as well.
        guard count >= 0, let formatted else { preconditionFailure("no memory for a command") }
        defer {
            OPENSSL_cleanse(formatted, count)
            redisFreeCommand(formatted)
        }
        return try body(UnsafeRawBufferPointer(start: formatted, count: count))
    }
}
