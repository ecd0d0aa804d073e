import ArgumentParser
import KMSTestSupport
import Testing

@testable import KMSCommands
@testable import ncloud_kms_rpc

/// A service reads its flags without ArgumentParser, all else with it: both must read the same.
@Suite struct ServingFlagsTests {
    /// What ArgumentParser makes of a command line; nil if that does not serve.
    private static func parsedFlags(_ arguments: [String]) -> [Setting.Name: String]? {
        switch try? Program.parseAsRoot(arguments) {
        case let program as Program: program.options.flags
        case let serve as Serve: serve.flags
        default: nil
        }
    }

    private static let accepted: [([String], [Setting.Name: String])] = [
        ([], [:]), (["serve"], [:]), (["--stdio"], [.stdio: ""]), (["--stdio", "serve", "--stdio"], [.stdio: ""]),
        (["--zone", "gov"], [.zone: "gov"]), (["--zone=gov"], [.zone: "gov"]),
        (["--zone", "gov", "serve", "--zone=public"], [.zone: "public"]),
        (["serve", "--zone", "gov", "--zone", "moon"], [.zone: "moon"]), (["--zone", "serve"], [.zone: "serve"]),
        (["serve", "--zone", "serve"], [.zone: "serve"]), (["--proxy", ""], [.proxy: ""]),
        (["--proxy", "-"], [.proxy: "-"]), (["--proxy=-x"], [.proxy: "-x"]), (["--proxy=--zone"], [.proxy: "--zone"]),
        (["--proxy==", "serve"], [.proxy: "="]), (["--proxy=a=b"], [.proxy: "a=b"]),
        (["--proxy", "a=b"], [.proxy: "a=b"]),
        (["--proxy", "=a"], [.proxy: "=a"]), (["--proxy", " a b\n"], [.proxy: " a b\n"]),
        (["--proxy=\r\n"], [.proxy: "\r\n"]),
        (["--clientProcessId", "7"], [.parentPID: "7"]),
        (["--clientProcessId=7", "--parent-pid", "8"], [.parentPID: "8"]),
        (["--parent-pid", "8", "--clientProcessId=7"], [.parentPID: "7"]), (["--profile", "é"], [.profile: "é"]),
        (["--profile", "\u{301}"], [.profile: "\u{301}"]), (["--profile=ae\u{301}"], [.profile: "ae\u{301}"]),
        (
            ["--allow-debug", "--no-clock-correction", "--max-batch", "1"],
            [.allowDebug: "", .noClockCorrection: "", .maxBatch: "1"]
        ),
    ]

    @Test(arguments: accepted)
    func `a command line that serves is read without ArgumentParser`(
        _ arguments: [String], _ flags: [Setting.Name: String]
    ) {
        #expect(ArgumentLine(arguments).servingFlags == flags)
        #expect(Self.parsedFlags(arguments) == flags)
    }

    @Test(arguments: [
        ["--help"], ["-h"], ["help"], ["--version"], ["serve", "--help"], ["--experimental-dump-help"],
        ["--generate-completion-script", "bash"], ["---completion", "serve"], ["get-public-key", "k"],
        ["--zone", "gov", "terraform"], ["serve", "serve"], ["serve", "surplus"], ["surplus"], [""], ["-"], ["--"],
        ["serve", "--"], ["--", "serve"], ["--zone"], ["--zone", "--stdio"], ["--zone", "-x"], ["--zone", "--", "gov"],
        ["--zone="], ["--zone=", "gov"], ["--profile=\u{301}"], ["--profile", "-\u{301}"], ["--stdio=1"],
        ["--stdio", "1"],
        ["--zon", "gov"], ["--ZONE", "gov"], ["-zone", "gov"], ["---zone", "gov"], ["zone", "gov"], ["--no-such-flag"],
        ["--zone\u{301}", "gov"], ["--zone", "gov", "--help"], ["serve", "--version"], ["Serve"],
    ])
    func `everything else is left to ArgumentParser`(_ arguments: [String]) {
        #expect(ArgumentLine(arguments).servingFlags == nil)
    }

    @Test func `every flag of the table is read alike, in all of its forms`() {
        for setting in Setting.all {
            for name in [setting.name.rawValue, setting.name.alias].compactMap({ $0 }) {
                let forms: [[String]] =
                    setting.valueName == nil ? [["--\(name)"]] : [["--\(name)", "a value"], ["--\(name)=a value"]]
                for form in forms {
                    let expected = [setting.name: setting.valueName == nil ? "" : "a value"]
                    for arguments in [form, ["serve"] + form] {
                        #expect(ArgumentLine(arguments).servingFlags == expected, "\(arguments)")
                        #expect(Self.parsedFlags(arguments) == expected, "\(arguments)")
                    }
                }
            }
        }
    }

    @Test func `what is read of any words is what ArgumentParser reads`() {
        let words = [
            "serve", "--stdio", "--allow-debug", "--zone", "--zone=gov", "--zone=", "--zone==", "--zone=\u{301}",
            "--proxy=-", "--clientProcessId", "--parent-pid=7", "-", "--", "", "=", "--=", "--=x", "-x", "--zone=-x",
            "gov", "help", "doctor", "--help", "\u{301}", "-\u{301}", "--\u{301}", "--stdio=", "--stdio=x",
            "--zone\u{301}",
            "--zone\u{301}=x", "--zone=x\u{301}", "--no-stdio", "--zone ", " --zone", "---zone=x",
        ]
        var random = SeededGenerator(seed: 11)
        var readCount = 0
        func compare(_ arguments: [String]) {
            // Whatever is not read here is read by ArgumentParser in the program, too.
            guard let flags = ArgumentLine(arguments).servingFlags else { return }
            readCount += 1
            #expect(Self.parsedFlags(arguments) == flags, "\(arguments)")
        }
        for first in words {
            compare([first])
            for second in words { compare([first, second]) }
        }
        for _ in 0..<5_000 {
            compare((0..<Int.random(in: 3...6, using: &random)).map { _ in words.randomElement(using: &random)! })
        }
        #expect(readCount > 100)
    }
}
