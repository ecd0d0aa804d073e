import Foundation
import Testing

/// What each module of `Sources/` may import, as CONTRIBUTING.md draws it.
private let allowedImports: [String: Set<String>] = [
    "CKMSLibcurl": [],
    "CKMSOpenSSL": [],
    "CKMSMicrohttpd": [],
    "CKMSHiredis": [],
    "CKMSLinux": [],
    "CKMSBuild": [],
    // The C library and the parts of the standard library that are modules of their own come through `KMSPlatform` alone.
    "KMSPlatform": ["CKMSBuild", "CKMSLinux", "Glibc", "Musl", "Darwin", "Synchronization"],
    "KMSJSON": ["KMSPlatform"],
    "KMSPublicKeys": ["CKMSOpenSSL", "KMSJSON", "KMSPlatform"],
    "KMSJSONRPC": ["KMSJSON", "KMSPlatform"],
    "NCloudKMS": ["KMSJSON", "KMSPublicKeys", "KMSPlatform", "CKMSLibcurl", "CKMSOpenSSL", "CKMSHiredis", "Logging"],
    "KMSService": ["KMSJSON", "KMSJSONRPC", "NCloudKMS", "KMSPublicKeys", "KMSPlatform", "Logging"],
    "KMSCommands": ["KMSJSON", "NCloudKMS", "KMSPublicKeys", "KMSPlatform", "Logging"],
    // "All of the above, ArgumentParser".
    "ncloud-kms-rpc": [
        "CKMSLibcurl", "CKMSOpenSSL", "CKMSLinux", "KMSJSON", "KMSJSONRPC", "NCloudKMS", "KMSCommands", "KMSService",
        "KMSPublicKeys",
        "KMSPlatform", "Logging", "ArgumentParser",
    ],
    "KMSEmulator": ["KMSJSON", "KMSPlatform", "CKMSOpenSSL", "CKMSMicrohttpd"],
    "ncloud-kms-emulator": ["KMSEmulator", "KMSJSON", "KMSPlatform", "ArgumentParser"],
    // The only module that sees both the client and the emulator, and decides nothing.
    "NCloudKMSTesting": ["NCloudKMS", "KMSEmulator", "KMSPlatform"],
    // A filter for the build, which takes its lists from where the program has them.
    "kms-man-page": ["KMSJSON", "KMSCommands", "KMSPlatform"],
]

/// The packages of traits, which only the folder of these may import.
private let traitImports: Set = ["CoreMetrics", "Tracing", "ServiceLifecycle", "Configuration"]
private let traitFolder = "NCloudKMS/Integrations/"

/// The longest that a file may be before it is more than one concept.
private let maximumLines = 400

@Suite struct ImportTests {
    @Test func `every import is an arrow of the table`() throws {
        let files = try SourceFile.all()
        #expect(files.count >= 20, "only \(files.count) Swift files found under \(SourceFile.sources.path)")
        for file in files {
            let allowed = try #require(allowedImports[file.module], "no module of the table: \(file.path)")
            let ofTraits = file.path.hasPrefix(traitFolder) ? traitImports : []
            for name in file.imports where !allowed.contains(name) && !ofTraits.contains(name) {
                Issue.record("\(file.module) must not import \(name): \(file.path)")
            }
        }
    }

    /// Without the traits their packages are not there, so the file would not compile.
    @Test func `the packages of traits are imported only under the condition of a trait`() throws {
        let files = try SourceFile.all().filter { !traitImports.isDisjoint(with: $0.imports) }
        #expect(files.count >= traitImports.count)
        for file in files {
            var condition: Substring?
            for line in file.text.split(separator: "\n") {
                if line.hasPrefix("#if ") { condition = line.dropFirst(4) }
                if line.hasPrefix("#endif") { condition = nil }
                for name in SourceFile.imports(in: String(line)) where traitImports.contains(name) {
                    let trait = name == "CoreMetrics" ? "Metrics" : name
                    #expect(condition.map(String.init) == trait, "\(file.path): import \(name)")
                }
            }
        }
    }

    @Test func `every module of the table has a folder, and every folder is in the table`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: SourceFile.sources.path)
            .filter { !$0.hasPrefix(".") }
        #expect(Set(folders) == Set(allowedImports.keys))
    }

    @Test func `no arrow of the table points up, nor from the wire to the client or back`() {
        let layers = [
            "CKMSLibcurl": 0, "CKMSOpenSSL": 0, "CKMSMicrohttpd": 0, "CKMSHiredis": 0, "CKMSLinux": 0,
            "CKMSBuild": 0, "KMSPlatform": 1,
            "KMSJSON": 1,
            "KMSPublicKeys": 1,
            "KMSJSONRPC": 2, "NCloudKMS": 2, "KMSService": 3, "KMSCommands": 3, "ncloud-kms-rpc": 4, "KMSEmulator": 2,
            "ncloud-kms-emulator": 4, "kms-man-page": 4, "NCloudKMSTesting": 4,
        ]
        for (module, imports) in allowedImports {
            for name in imports {
                guard let from = layers[module], let to = layers[name] else { continue }
                #expect(from >= to, "\(module) → \(name)")
            }
        }
        #expect(allowedImports["KMSJSONRPC"]?.contains("NCloudKMS") == false)
        #expect(allowedImports["NCloudKMS"]?.contains("KMSJSONRPC") == false)
        #expect(allowedImports["KMSCommands"]?.isDisjoint(with: ["KMSJSONRPC", "KMSService"]) == true)
        #expect(allowedImports["KMSService"]?.contains("KMSCommands") == false)
        for module in ["KMSEmulator", "ncloud-kms-emulator"] {
            #expect(
                allowedImports[module]?.isDisjoint(with: ["NCloudKMS", "KMSCommands", "KMSService", "KMSJSONRPC"])
                    == true)
        }
    }

    @Test func `no source file is longer than 400 lines`() throws {
        let files = try SourceFile.all()
        #expect(!files.isEmpty)
        for file in files {
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(lines <= maximumLines, "\(file.path)")
        }
    }

    /// Flags are the program's: what uses a library may have other names for the same things.
    @Test func `no library knows a flag of the program`() throws {
        let libraries = ["KMSJSONRPC", "NCloudKMS", "KMSPublicKeys", "KMSJSON", "KMSPlatform"]
        let files = try SourceFile.all()
        let table = try #require(files.first { $0.path.hasSuffix("/Setting.swift") }?.text)
        // Words of one syllable are words of the language, too.
        let flags = table.matches(of: /case \w+ = "([a-z]+(?:-[a-z]+)+)"/).map(\.output.1)
        #expect(flags.count > 10)
        for file in files where libraries.contains(file.module) {
            for line in file.text.split(separator: "\n") {
                // A flag of another program, in advice to people who run that one.
                let isFlag = line.contains(/(^|[^-\w])--[a-z]/) && !line.contains("docker --env-file")
                let isName = flags.contains { line.contains("\"\($0)\"") }
                if isFlag || isName { Issue.record("\(file.path): \(line)") }
            }
        }
    }

    @Test(arguments: [
        ("import KMSJSON", ["KMSJSON"]), ("  import  KMSJSON // why", ["KMSJSON"]),
        ("@_exported import Glibc", ["Glibc"]),
        ("@testable import KMSJSONRPC\nimport Testing", ["KMSJSONRPC", "Testing"]),
        ("@preconcurrency public import Foundation", ["Foundation"]), ("import struct Foundation.Data", ["Foundation"]),
        ("import func Glibc.poll", ["Glibc"]), ("import Foundation.NSData", ["Foundation"]),
        ("package import KMSJSON; import KMSPlatform", ["KMSJSON", "KMSPlatform"]),
        ("@_spi(Inner) import KMSJSON", ["KMSJSON"]),
        ("// import KMSJSON", []), ("let importance = 1", []), ("/// import KMSJSON", []), ("important()", []),
        ("#if canImport(Glibc)", []),
    ])
    func `an import is found in every spelling`(text: String, modules: [String]) {
        #expect(SourceFile.imports(in: text) == modules)
    }
}

private struct SourceFile {
    static let sources = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources", isDirectory: true)

    /// From `Sources/` on.
    let path: String
    let text: String

    /// The folder below `Sources/`.
    var module: String { String(path.prefix { $0 != "/" }) }
    var imports: [String] { Self.imports(in: text) }

    static func all() throws -> [SourceFile] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: sources.path)
        return try paths.filter { $0.hasSuffix(".swift") }.sorted().map { path in
            SourceFile(path: path, text: try String(contentsOf: sources.appendingPathComponent(path), encoding: .utf8))
        }
    }

    /// The modules that a text imports, in order.
    static func imports(in text: String) -> [String] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let modifiers: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        return text.split(whereSeparator: { $0 == "\n" || $0 == ";" }).compactMap { line in
            var words = line.split(separator: " ")[...]
            while let word = words.first, word.hasPrefix("@") || modifiers.contains(word) { words.removeFirst() }
            guard words.popFirst() == "import" else { return nil }
            if let word = words.first, kinds.contains(word) { words.removeFirst() }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }
}
