import NCloudKMS

/// The program's exit statuses. Numbers from 64 on are those of `sysexits.h`.
///
/// The commands, `--help`, the man page and the table in `protocol/commands.md` use this list.
package enum ExitStatus: Int32, CaseIterable, Sendable {
    case success = 0
    /// The answer is no.
    case negative = 1
    /// There is no answer, and no other status applies.
    case undecided = 2
    case usage = 64
    case noKey = 66
    case unavailable = 69
    case internalFault = 70
    case output = 74
    case untrusted = 76
    case permission = 77
    case configuration = 78

    /// The status of a command that ends with this error.
    init(_ code: KMSError.Code) {
        self =
            switch code {
            case .credentialsUnavailable, .authenticationFailed, .permissionDenied: .permission
            case .keyNotFound, .keyUnusable: .noKey
            case .rateLimited, .quotaExceeded, .serviceUnavailable, .deadlineExceeded: .unavailable
            case .invalidServiceResponse, .untrustedService: .untrusted
            case .invalidArgument: .usage
            case .internalError: .internalFault
            case .cancelled, .shuttingDown, .requestRejected: .undecided
            }
    }

    /// The meaning as a sentence without its full stop.
    var meaning: String {
        switch self {
        case .success: "Done; verify: the signature is valid; doctor: no check failed"
        case .negative: "verify: the signature is not valid; doctor: a check failed"
        case .undecided: "verify: no verdict; others: an error without its own status (1013)"
        case .usage: "Invalid command line; terraform: invalid query"
        case .noKey: "The key or version does not exist or can't be used (1004, 1005)"
        case .unavailable: "The service or the network failed (1006 to 1009)"
        case .internalFault: "Internal error (-32603); please report it"
        case .output: "The output could not be written"
        case .untrusted: "The server or its answer can't be trusted (1010, 1011)"
        case .permission: "No credentials, invalid ones, or missing permission (1001 to 1003)"
        case .configuration: "Invalid environment variable, or an unusable file"
        }
    }

    /// The commands, because a status can have a different meaning for each.
    package enum Command: CaseIterable, Sendable {
        case serve, getPublicKey, verify, doctor, terraform
    }

    /// The meaning for one command; nil if it never ends with this status.
    func meaning(of command: Command) -> String? {
        switch (self, command) {
        case (.success, .serve): "All answers have been written"
        case (.success, .verify): "The signature is valid"
        case (.success, .doctor): "No check failed"
        case (.success, .getPublicKey), (.success, .terraform): "Done"
        case (.negative, .verify): "The signature is not valid"
        case (.negative, .doctor): "A check failed"
        case (.undecided, .verify): "No verdict; stderr says why"
        case (.undecided, .getPublicKey), (.undecided, .terraform): "An error without its own status (1013)"
        case (.usage, .terraform): "Invalid command line or query"
        case (.usage, _): "Invalid command line"
        // For `doctor` an invalid variable is a failed check.
        case (.configuration, .doctor): "The program could not start"
        case (.output, _), (.configuration, _), (.internalFault, _): meaning
        case (.noKey, .getPublicKey), (.noKey, .terraform), (.unavailable, .getPublicKey), (.unavailable, .terraform),
            (.untrusted, .getPublicKey), (.untrusted, .terraform), (.permission, .getPublicKey),
            (.permission, .terraform):
            meaning
        default: nil
        }
    }

    /// Only `serve` has this status: a second signal ends the program at once, and it exits with the status. A signal
    /// ends the other commands directly, as it ends any program.
    private static let signalStatus = "128+N"
    private static let signalMeaning = "a second signal N ended the program"

    /// Every status with its meaning, in numerical order.
    package static var list: [(status: String, meaning: String)] {
        allCases.map { (status: String($0.rawValue), meaning: $0.meaning) }
            + [(status: signalStatus, meaning: "serve: \(signalMeaning)")]
    }

    /// The list for `--help`, which does not wrap lines of at most 80 columns.
    package static var helpText: String { text(list) }

    package static func helpText(of command: Command) -> String {
        let list = allCases.compactMap { status in
            status.meaning(of: command).map { (status: String(status.rawValue), meaning: $0) }
        }
        let ofSignal = (
            status: signalStatus, meaning: "\(signalMeaning.prefix(1).uppercased())\(signalMeaning.dropFirst())"
        )
        return text(list + (command == .serve ? [ofSignal] : []))
    }

    /// The first line of such a text.
    package static let helpTitle = "Exit status:"

    private static func text(_ list: [(status: String, meaning: String)]) -> String {
        let width = list.map(\.status.count).max() ?? 0
        let lines = list.map { item in
            "  \(item.status)\(String(repeating: " ", count: width - item.status.count))  \(item.meaning)"
        }
        return ([helpTitle] + lines).joined(separator: "\n")
    }
}
