import Foundation
import KMSCommands
import KMSTestSupport
import Testing

private let mandoc = "/usr/bin/mandoc"
private let hasMandoc = FileManager.default.isExecutableFile(atPath: mandoc)

/// The manual pages, as `make man` writes them.
@Suite(.timeLimit(.minutes(5))) struct ManualPageTests {
    private static let programs = ["ncloud-kms-rpc", "ncloud-kms-emulator"]

    private func page(of program: String) async throws -> String {
        let description = try await ServiceProcess.output(program, of: ["--experimental-dump-help"])
        let page = try await ServiceProcess.output("kms-man-page", of: [], input: description.result)
        #expect(page.status == 0, "\(page.log)")
        return String(decoding: page.result, as: UTF8.self)
    }

    /// What stands under a heading, up to the next.
    private func section(_ title: String, of page: String) throws -> Substring {
        let start = try #require(page.firstRange(of: "\n.Sh \(title)\n"), "no section \(title)").upperBound
        return page[start...].firstRange(of: "\n.Sh ").map { page[start..<$0.lowerBound] } ?? page[start...]
    }

    /// As it is read.
    private func unescaped(_ text: some StringProtocol) -> String {
        text.replacingOccurrences(of: "\\-", with: "-").replacingOccurrences(of: "\\(aq", with: "'")
            .replacingOccurrences(of: "\\(ti", with: "~")
            .replacingOccurrences(of: "\\e", with: "\\")
    }

    @Test(.enabled(if: hasMandoc, "mandoc is not installed"), arguments: programs)
    func `mandoc finds no fault`(_ program: String) async throws {
        let folder = try TemporaryDirectory()
        try folder.write(try await page(of: program), to: "page.1")
        let lint = try await ServiceProcess.output(mandoc, of: ["-T", "lint", folder.path("page.1")])
        #expect(String(decoding: lint.result, as: UTF8.self) == "")
        #expect(lint.status == 0)
    }

    @Test(arguments: programs)
    func `a page has the sections that people look for, in the usual order`(_ program: String) async throws {
        let page = try await page(of: program)
        let titles = page.split(separator: "\n").filter { $0.hasPrefix(".Sh ") }.map { $0.dropFirst(4) }
        let commands: [Substring] = program == "ncloud-kms-rpc" ? ["COMMANDS"] : []
        #expect(
            titles == ["NAME", "SYNOPSIS", "DESCRIPTION"] + commands
                + ["OPTIONS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"])
        #expect(!page.contains("subcommand\n"))
    }

    @Test func `the statuses are those of the program`() async throws {
        let text = unescaped(try section("EXIT STATUS", of: await page(of: "ncloud-kms-rpc")))
        let flat = text.replacingOccurrences(of: "\n", with: " ")
        for item in ExitStatus.list { #expect(flat.contains(".It \(item.status) \(item.meaning).")) }
    }

    @Test func `every variable is there, those that have no option, too`() async throws {
        let text = try section("ENVIRONMENT", of: await page(of: "ncloud-kms-rpc"))
        let others = [
            "NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY",
            "NCLOUD_KMS_TOKEN", "NO_PROXY", "no_proxy",
        ]
        for variable in Setting.all.flatMap(\.variables) + others { #expect(text.contains("Ev \(variable)")) }
    }

    @Test func `each command lists its own options, and the common ones are listed once`() async throws {
        let page = unescaped(try await page(of: "ncloud-kms-rpc"))
        for setting in Setting.all {
            // Names begin alike.
            let items = page.split(separator: "\n").filter {
                $0 == ".It Fl -\(setting.name.rawValue)" || $0.hasPrefix(".It Fl -\(setting.name.rawValue) ")
            }
            #expect(items.count == 1, "\(setting.name)")
        }
        let commands = try section("COMMANDS", of: page)
        for option in ["-key-version", "-format", "-algorithm", "-signature", "-encoding", "-output"] {
            #expect(commands.contains("Fl \(option) Ar"))
        }
    }

    @Test func `the emulator's page names what it sets for its command`() async throws {
        let text = try section("ENVIRONMENT", of: await page(of: "ncloud-kms-emulator"))
        let child = try await ServiceProcess.output("ncloud-kms-emulator", of: ["--", "/usr/bin/env"])
        let inherited = ["PATH", "HOME", "PWD", "_"]
        let names = String(decoding: child.result, as: UTF8.self).split(separator: "\n").map { $0.prefix { $0 != "=" } }
        #expect(names.count > 4)
        for name in names where !inherited.contains(String(name)) { #expect(text.contains("Ev \(name)"), "\(name)") }
    }

    @Test func `the emulator's examples keep their lines`() async throws {
        let help = try await ServiceProcess.output("ncloud-kms-emulator", of: ["--help"])
        let text = String(decoding: help.result, as: UTF8.self)
        let description = text.prefix(upTo: try #require(text.firstRange(of: "\nUSAGE:")).lowerBound)
        let indented = description.split(separator: "\n").filter { $0.hasPrefix("  ") }
        #expect(indented.count > 20)
        let page = unescaped(try await page(of: "ncloud-kms-emulator")).split(separator: "\n")
        for line in indented { #expect(page.contains { $0.hasSuffix(line.dropFirst(2)) }, "\(line)") }
    }

    @Test func `what is no description of our programs is refused`() async throws {
        for input in ["", "{}", #"{"command":{"commandName":"ls"}}"#] {
            let outcome = try await ServiceProcess.output("kms-man-page", of: [], input: Array(input.utf8))
            #expect(outcome.result == [])
            #expect(outcome.status == 1)
        }
    }
}
