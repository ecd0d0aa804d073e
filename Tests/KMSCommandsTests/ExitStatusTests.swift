import NCloudKMS
import Testing

@testable import KMSCommands

@Suite struct ExitStatusTests {
    @Test(
        arguments: [
            (.credentialsUnavailable, 77), (.authenticationFailed, 77), (.permissionDenied, 77), (.keyNotFound, 66),
            (.keyUnusable, 66), (.rateLimited, 69), (.quotaExceeded, 69), (.serviceUnavailable, 69),
            (.deadlineExceeded, 69), (.invalidServiceResponse, 76), (.untrustedService, 76), (.shuttingDown, 2),
            (.requestRejected, 2), (.cancelled, 2), (.invalidArgument, 64), (.internalError, 70),
        ] as [(KMSError.Code, Int32)])
    func `each error has its status`(_ code: KMSError.Code, _ status: Int32) {
        #expect(ExitStatus(code).rawValue == status)
        #expect(CommandFailure(KMSError(code, "")).status.rawValue == status)
    }

    @Test func `no code is without a status`() {
        for code in KMSError.Code.allCases {
            #expect((ExitStatus(code) == .internalFault) == (code == .internalError))
        }
    }

    @Test func `for verify all that is no fault of ours is the status of no verdict`() {
        for code in KMSError.Code.allCases where code != .internalError {
            #expect(CommandFailure(KMSError(code, "")).withoutVerdict.status == .undecided)
        }
        #expect(CommandFailure(InvalidValue("signature", "must be Base64")).withoutVerdict.status == .undecided)
        #expect(CommandFailure.internalFault("x").withoutVerdict.status == .internalFault)
    }

    @Test func `a value is 64, a fault of ours 70`() {
        #expect(CommandFailure(InvalidValue("keyTag", "must be shorter")).status.rawValue == 64)
        #expect(CommandFailure(SignatureFailure.internalFault("x")).status.rawValue == 70)
    }

    @Test func `a configuration is 78, and a command line 64`() {
        for (isUsage, status) in [(false, Int32(78)), (true, 64)] {
            #expect(CommandFailure(ConfigurationError("x", isUsage: isUsage)).status.rawValue == status)
        }
    }

    @Test func `every status of a command is in the list, with a meaning`() {
        #expect(
            ExitStatus.allCases.allSatisfy { status in
                ExitStatus.Command.allCases.contains { status.meaning(of: $0) != nil }
            })
        for line in ExitStatus.helpText.split(separator: "\n") { #expect(line.utf8.count <= 80, "\(line)") }
    }
}
