import Foundation
import KMSEmulator
import KMSTestSupport
import Testing

/// The programs of the README, run as a reader would run them: copied without a change, inside the emulator.
///
/// A program is a code block in one of the languages below. If a block of `text` follows it, that is what it prints.
@Suite(.timeLimit(.minutes(5))) struct ReadmeProgramTests {
    struct Block: Sendable, CustomTestStringConvertible {
        let number: Int
        let language: String
        let text: String
        /// What it prints, if the README says so.
        var output: String?

        var testDescription: String { "\(language) block \(number)" }
    }

    private static let interpreters = ["sh": "/bin/sh", "python": "python3", "js": "node"]

    static let programs: [Block] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
        let readme = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        var programs: [Block] = []
        // A block of text belongs to the program before it only if there is no other block between them.
        var isAfterProgram = false
        for (number, match) in readme.matches(of: /(?s)\n```(\w*)\n(.*?)```/).enumerated() {
            let (language, text) = (String(match.output.1), String(match.output.2))
            if isAfterProgram, language == "text" { programs[programs.count - 1].output = text }
            isAfterProgram = interpreters[language] != nil
            if isAfterProgram { programs.append(Block(number: number + 1, language: language, text: text)) }
        }
        return programs
    }()

    private let folder: TemporaryDirectory

    /// A home with the files that the programs expect a reader to have.
    init() async throws {
        folder = try TemporaryDirectory()
        let key = try await OpenSSLKeyPair.rsa(bits: 2_048)
        let release = Array("a release".utf8)
        try folder.write("a release", to: "release.tar")
        _ = try folder.write("release.sig", try await key.sign(release, algorithm: "PS256"))
        let seed = Seed(keys: Seed.demo.keys + [Seed.Key("release-key", .rsa2048, [key.publicKey])])
        try folder.write(seed.json, to: "seed.json")
        // What `make install` would do, as make says it: to build takes minutes, and the programs are here.
        let checkout = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
            .standardizedFileURL.path
        let make = """
            #!/bin/sh
            exec /usr/bin/make --dry-run -C '\(checkout)' "$@" > "$HOME/make.log"
            """
        try folder.write(make, to: "make")
        #expect(chmod(folder.path("make"), 0o700) == 0)
    }

    @Test func `there is a program for each kind of reader`() {
        #expect(Set(Self.programs.map(\.language)) == Set(Self.interpreters.keys))
        #expect(Self.programs.count >= 7)
        #expect(Self.programs.count { $0.output != nil } >= 4)
    }

    @Test(arguments: programs) func `a program of the README runs as it is shown`(_ program: Block) async throws {
        let outcome = try await run(program)
        #expect(outcome.status == 0, "\(outcome.log)")
        if let output = program.output { #expect(outcome.result == output) }
        // Whatever else is printed, a key or a check is.
        #expect(!(outcome.result + outcome.log).isEmpty)
    }

    @Test func `the commands of the first block install both programs`() async throws {
        let start = try #require(Self.programs.first)
        #expect(start.text.hasPrefix("make install "))
        _ = try await run(start)
        let log = try String(contentsOfFile: folder.path("make.log"), encoding: .utf8)
        for name in ["ncloud-kms-rpc", "ncloud-kms-emulator"] {
            #expect(log.contains(try Regex(#"install -m 755 .*\#(name).* \#(folder.path)/\.local/bin"#)), "\(log)")
        }
    }

    @Test func `the tests of the README are run, and fail when the service is another`() async throws {
        let tests = try #require(Self.programs.first { $0.text.contains("unittest.main()") })
        let outcome = try await run(tests)
        #expect(outcome.log.contains("Ran 3 tests"))
        #expect(outcome.log.contains("\nOK"))

        try folder.write(#"{"keys": []}"#, to: "seed.json")
        let other = try await run(tests)
        #expect(other.status == 1)
        #expect(other.log.contains("errors=") || other.log.contains("failures="), "\(other.log)")
    }

    /// - Returns: what the program wrote to stdout; its stderr is the log.
    private func run(_ program: Block) async throws -> (status: Int, result: String, log: String) {
        let interpreter = try #require(Self.interpreters[program.language])
        try folder.write(program.text, to: "program")
        // The programs of this package come first, then what is there for everybody.
        let products = URL(filePath: BuiltProducts.path(of: "ncloud-kms-rpc")).deletingLastPathComponent().path
        let path = [folder.path, products, ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
        let emulator = "ncloud-kms-emulator --seed seed.json --"
        // One that starts the emulator itself is run without it.
        let command = (program.text.contains("ncloud-kms-emulator") ? "exec" : "exec \(emulator)")
        let options = program.language == "sh" ? "-eu " : ""
        let outcome = try await ServiceProcess.output(
            "/bin/sh", of: ["-c", "cd \"$HOME\" && \(command) \(interpreter) \(options)program"],
            environment: ["HOME": folder.path, "PATH": path.joined(separator: ":")])
        return (outcome.status, String(decoding: outcome.result, as: UTF8.self), outcome.log)
    }
}

extension Seed {
    /// The keys and their versions, as `--seed` reads them.
    fileprivate var json: String {
        get throws {
            let keys = keys.map { key in
                let versions = key.versions.map { version -> [String: Any] in
                    var object: [String: Any] = ["version": version.number, "status": version.status.rawValue]
                    object["publicKey"] = version.publicKey
                    return object
                }
                return ["keyTag": key.keyTag, "keyType": key.keyType.rawValue, "versions": versions] as [String: Any]
            }
            return String(
                decoding: try JSONSerialization.data(withJSONObject: ["keys": keys]), as: UTF8.self)
        }
    }
}
