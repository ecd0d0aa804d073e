import KMSJSON
import KMSPlatform
import NCloudKMS

/// The arguments of one call of the plugin: `v1`, and a JSON object with `initOptions`, `methodName`, and a member for
/// the arguments of that method (https://github.com/sigstore/sigstore/tree/main/pkg/signature/kms/cliplugin).
///
/// Go writes null for some members without a value, so null means absent. Unknown members are ignored: later versions
/// may add some.
struct SigstoreArguments {
    /// What `initOptions.protocolVersion` and the first argument must be.
    static let protocolVersion = "v1"

    let method: SigstoreMethod
    /// The options of the key, for all methods.
    let initOptions: SigstoreMember
    /// The member that has the method's name.
    let methodArguments: SigstoreMember

    /// - Parameter arguments: the command line without the program's name.
    init(_ arguments: [[UInt8]]) throws(SigstoreError) {
        try Self.check(version: arguments.first.map { String(decoding: $0, as: UTF8.self) })
        guard arguments.count > 1 else {
            throw SigstoreError("the second argument is missing: a JSON object with initOptions and methodName")
        }
        let object: JSONValue
        do {
            object = try JSONValue(parsing: arguments[1])
        } catch {
            throw SigstoreError("the second argument is not JSON: \(error)")
        }
        let root = SigstoreMember(value: object, path: "the second argument")
        guard try root.isObject() else { throw SigstoreError("the second argument must be an object") }
        initOptions = try root.member("initOptions")
        if let version = try initOptions.string("protocolVersion") { try Self.check(version: version) }
        guard let name = try root.string("methodName") else { throw SigstoreError("methodName is missing") }
        guard let method = SigstoreMethod(rawValue: name) else {
            throw SigstoreError("unsupported method: \"\(name.excerpt)\"")
        }
        self.method = method
        methodArguments = try root.member(name)
    }

    private static func check(version: String?) throws(SigstoreError) {
        guard version != protocolVersion else { return }
        throw SigstoreError("expected protocol version: \(protocolVersion), got \(version?.excerpt ?? "no arguments")")
    }

    /// The options of the method, in addition to `initOptions`; absent for methods without options.
    func methodOptions() throws(SigstoreError) -> SigstoreMember {
        switch method {
        case .publicKey: try methodArguments.member("publicKeyOptions")
        case .signMessage: try methodArguments.member("signOptions")
        case .verifySignature: try methodArguments.member("verifyOptions")
        case .defaultAlgorithm, .supportedAlgorithms, .createKey: .absent
        }
    }

    /// The `rpcOptions` of the method, then those of `initOptions`, which supply what the former leave out.
    func rpcOptions() throws(SigstoreError) -> [SigstoreMember] {
        [try methodOptions().member("rpcOptions"), try initOptions.member("rpcOptions")]
    }
}

enum SigstoreMethod: String, CaseIterable, Sendable {
    case defaultAlgorithm, supportedAlgorithms, createKey, publicKey, signMessage, verifySignature
}

/// A member of the JSON object. If it is absent or null, so are all members inside it.
struct SigstoreMember {
    /// Nil if it is absent or null.
    private let value: JSONValue?
    /// For errors.
    private let path: String

    static let absent = SigstoreMember(value: nil, path: "")

    fileprivate init(value: JSONValue?, path: String) {
        self.value = value.flatMap { $0.isNull ? nil : $0 }
        self.path = path
    }

    /// False if it is absent.
    ///
    /// - Throws: if it is not an object.
    fileprivate func isObject() throws(SigstoreError) -> Bool {
        guard let value else { return false }
        guard value.kind == .object else { throw SigstoreError("\(path) must be an object") }
        return true
    }

    /// - Throws: if this is neither absent nor an object.
    func member(_ name: String) throws(SigstoreError) -> SigstoreMember {
        guard try isObject() else { return .absent }
        // The last of several counts, as in Go.
        return SigstoreMember(value: value?[name], path: name)
    }

    func string(_ name: String) throws(SigstoreError) -> String? {
        let member = try member(name)
        guard let value = member.value else { return nil }
        guard let string = value.string else { throw SigstoreError("\(name) must be a string") }
        return string
    }

    func integer(_ name: String) throws(SigstoreError) -> Int? {
        let member = try member(name)
        guard let value = member.value else { return nil }
        guard let integer = value.integer else { throw SigstoreError("\(name) must be a whole number") }
        return integer
    }

    /// Bytes, which Go writes as Base64.
    func bytes(_ name: String) throws(SigstoreError) -> [UInt8]? {
        guard let text = try string(name) else { return nil }
        guard let bytes = Base64.decode(text) else {
            throw SigstoreError("\(name) must be Base64 of the standard alphabet, padded")
        }
        return bytes
    }
}

/// Why a call of the plugin failed: the text of `errorMessage`.
struct SigstoreError: Error, Equatable, Sendable {
    /// One line, never empty.
    let message: String

    init(_ message: String) {
        self.message = LogFormat.escapingControls(message)
    }

    init(_ invalid: InvalidValue) {
        self.init("\(invalid)")
    }

    init(_ failure: CommandFailure) {
        self.init(failure.line)
    }
}
