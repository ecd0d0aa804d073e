import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// A call of the plugin as sigstore's own client (1.10) makes it: its members, in its order, with nulls and empty texts
/// where it has no value.
struct SigstoreCall {
    var resource: String
    /// Go's `crypto.Hash`, as the client is made with it.
    var hashFunc = 5
    var deadline: String?
    var version = ""
    var methodVersion = ""
    var methodDeadline: String?
    /// JSON, of `messageOptions`.
    var digest = "null"
    var messageHash: Int?

    init(_ resource: String) { self.resource = resource }

    private static func member(_ name: String, _ text: String?) -> String {
        text.map { #""\#(name)":"\#($0)","# } ?? ""
    }

    private var initOptions: String {
        """
        {\(Self.member("ctxDeadline", deadline))"protocolVersion":"v1","keyResourceID":"\(resource)",\
        "hashFunc":\(hashFunc),"rpcOptions":{"keyVersion":"\(version)","remoteVerification":false}}
        """
    }

    private var rpcOptions: String {
        #"{\#(Self.member("ctxDeadline", methodDeadline))"keyVersion":"\#(methodVersion)","remoteVerification":false}"#
    }

    private func text(_ method: String, _ arguments: String) -> String {
        #"{"initOptions":\#(initOptions),"methodName":"\#(method)","\#(method)":\#(arguments)}"#
    }

    var defaultAlgorithm: String { text("defaultAlgorithm", "{}") }
    var supportedAlgorithms: String { text("supportedAlgorithms", "{}") }
    var publicKey: String { text("publicKey", #"{"publicKeyOptions":{"rpcOptions":\#(rpcOptions)}}"#) }

    func createKey(_ algorithm: String) -> String {
        text("createKey", #"{\#(Self.member("ctxDeadline", methodDeadline))"algorithm":"\#(algorithm)"}"#)
    }

    private var messageOptions: String {
        #"{"rpcOptions":\#(rpcOptions),"messageOptions":{"digest":\#(digest)"#
            + (messageHash.map { #","hashFunc":\#($0)"# } ?? "") + "}}"
    }

    var signMessage: String { text("signMessage", #"{"signOptions":\#(messageOptions)}"#) }

    func verifySignature(_ signature: [UInt8]) -> String {
        text(
            "verifySignature",
            #"{"signature":"\#(Base64.encode(signature))","verifyOptions":\#(messageOptions)}"#)
    }

    func with(_ change: (inout SigstoreCall) -> Void) -> SigstoreCall {
        var call = self
        change(&call)
        return call
    }
}

/// The program under the plugin's name.
struct SigstorePluginProgram {
    private let folder: TemporaryDirectory
    let path: String

    init() throws {
        folder = try TemporaryDirectory()
        path = folder.path("sigstore-kms-ncloud")
        guard symlink(BuiltProducts.path(of: "ncloud-kms-rpc"), path) == 0 else { throw PlatformError("symlink") }
    }

    func run(
        _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
    ) async throws -> ServiceProcess.Outcome<[UInt8]> {
        try await ServiceProcess.run(
            path, arguments: arguments, environment: environment, readsLines: false, readsLog: true
        ) { process in
            try await onOwnThread {
                do {
                    try process.send(input)
                } catch let error as PlatformError where error.errorNumber == EPIPE {
                    // It has answered without reading everything.
                }
                process.closeInput()
                var answer: [UInt8] = []
                try FileContents.read(descriptor: process.output) { answer += $0 }
                return answer
            }
        }
    }

    /// The result of a call that must succeed, byte for byte.
    func result(
        of call: String, input: [UInt8] = [], environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let outcome = try await run(["v1", call], input: input, environment: environment)
        #expect(outcome.status == 0, sourceLocation: sourceLocation)
        #expect(outcome.log == "", sourceLocation: sourceLocation)
        return String(decoding: outcome.result, as: UTF8.self)
    }

    /// The message of a call that must fail.
    func error(
        _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let outcome = try await run(arguments, input: input, environment: environment)
        #expect(outcome.status == 1, sourceLocation: sourceLocation)
        #expect(outcome.log == "", sourceLocation: sourceLocation)
        let members = try #require(JSONValue(parsing: outcome.result).members, sourceLocation: sourceLocation)
        #expect(members.map(\.name) == ["errorMessage"], sourceLocation: sourceLocation)
        let message = try #require(members[0].value.string, sourceLocation: sourceLocation)
        #expect(!message.isEmpty && !message.contains("\n"), sourceLocation: sourceLocation)
        return message
    }
}
