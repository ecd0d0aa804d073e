import Foundation
import JSONRPC
import NCloudKMS
import Testing

@testable import KMSService

@Suite struct ExitStatusTests {
    @Test(arguments: [
        (-32700, 64), (-32600, 64), (-32601, 64), (-32602, 64), (-32603, 70), (-32800, 2), (1001, 77), (1002, 77),
        (1003, 77), (1004, 66), (1005, 66), (1006, 69), (1007, 69), (1008, 69), (1009, 69), (1010, 76), (1011, 76),
        (1012, 2), (1013, 2), (7, 70),
    ])
    func `each error has its status`(_ code: Int, _ status: Int32) {
        #expect(ExitStatus(RPCError(code: code, type: "", message: "")).rawValue == status)
    }

    @Test func `no code is without a status`() {
        for code in KMSError.Code.allCases { #expect(ExitStatus(code) != .internalFault) }
    }

    @Test func `for verify all that is no fault of ours is the status of no verdict`() {
        for code in KMSError.Code.allCases {
            let failure = CommandFailure(RPCError(code: code.rawValue, type: code.typeName, message: ""))
            #expect(failure.withoutVerdict.status == .undecided)
        }
        #expect(CommandFailure.internalFault("x").withoutVerdict.status == .internalFault)
    }

    @Test func `a configuration is 78, and a command line 64`() {
        for (isUsage, status) in [(false, Int32(78)), (true, 64)] {
            let error = ConfigurationError("x", isUsage: isUsage)
            #expect(ExitStatus(error).rawValue == status)
            #expect(CommandFailure(error).status.rawValue == status)
        }
    }

    @Test func `every status of a command is in the list, with a meaning`() {
        #expect(
            ExitStatus.allCases.allSatisfy { status in
                ExitStatus.Command.allCases.contains { status.meaning(of: $0) != nil }
            })
        for line in ExitStatus.helpText.split(separator: "\n") { #expect(line.utf8.count <= 80, "\(line)") }
    }

    @Test func `the README's table of statuses is the list of statuses`() throws {
        let readme = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../README.md")
        let text = try String(contentsOf: readme, encoding: .utf8)
        #expect(text.contains("\n\(ExitStatus.markdownTable)\n"), "paste this:\n\(ExitStatus.markdownTable)")
    }
}
