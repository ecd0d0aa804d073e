import NCloudKMS

/// How the program ends. Numbers from 64 on are those of `sysexits.h`.
///
/// The commands, `--help`, the man page and the table of `protocol/commands.md` all take the statuses from here.
package enum ExitStatus: Int32, CaseIterable, Sendable {
    case success = 0
    /// The answer is no.
    case negative = 1
    /// There is no answer, and no other status says why.
    case undecided = 2
    case usage = 64
    case noKey = 66
    case unavailable = 69
    case internalFault = 70
    case output = 74
    case untrusted = 76
    case permission = 77
    case configuration = 78

    /// The status of a command that ends with such an error.
    init(_ code: KMSError.Code) {
        self =
            switch code {
            case .credentialsUnavailable, .authenticationFailed, .permissionDenied: .permission
            case .keyNotFound, .keyUnusable: .noKey
            case .rateLimited, .quotaExceeded, .serviceUnavailable, .deadlineExceeded: .unavailable
            case .invalidServiceResponse, .untrustedService: .untrusted
            case .cancelled, .shuttingDown, .requestRejected: .undecided
            }
    }

    /// What it says, as a sentence without its full stop.
    var meaning: String {
        switch self {
        case .success: "Done; verify: the signature is valid; doctor: no check failed"
        case .negative: "The answer is no; verify: not valid; doctor: a check failed"
        case .undecided: "verify could not tell; else an error without its own status (1013)"
        case .usage: "The command line is wrong, or what terraform reads"
        case .noKey: "There is no such key or version, or it can't be used (1004, 1005)"
        case .unavailable: "The service or the network failed (1006 to 1009)"
        case .internalFault: "A fault of the program (-32603); please report it"
        case .output: "The output can't be written"
        case .untrusted: "The server or its answer can't be trusted (1010, 1011)"
        case .permission: "No credentials, wrong ones, or they may not do this (1001 to 1003)"
        case .configuration: "A variable is wrong, or a file that is named can't be used"
        }
    }

    /// The commands, as far as their statuses differ.
    package enum Command: CaseIterable, Sendable {
        case serve, getPublicKey, verify, doctor, terraform
    }

    /// What it says of one command; nil if that never ends so.
    func meaning(of command: Command) -> String? {
        switch (self, command) {
        case (.success, .serve): "Every answer that was wanted is written"
        case (.success, .verify): "The signature is valid"
        case (.success, .doctor): "No check failed"
        case (.success, .getPublicKey), (.success, .terraform): "Done"
        case (.negative, .verify): "The signature is not valid"
        case (.negative, .doctor): "A check failed"
        case (.undecided, .verify): "It could not be determined; stderr says why"
        case (.undecided, .getPublicKey), (.undecided, .terraform): "An error that has no status of its own (1013)"
        case (.usage, .terraform): "The command line is wrong, or the query"
        case (.usage, _): "The command line is wrong"
        // A wrong variable is a check that failed.
        case (.configuration, .doctor): "The system refused what the program needs to start"
        case (.output, _), (.configuration, _), (.internalFault, _): meaning
        case (.noKey, .getPublicKey), (.noKey, .terraform), (.unavailable, .getPublicKey), (.unavailable, .terraform),
            (.untrusted, .getPublicKey), (.untrusted, .terraform), (.permission, .getPublicKey),
            (.permission, .terraform):
            meaning
        default: nil
        }
    }

    /// What `serve` adds to the list: a second signal ends the program at once. The other commands don't exit then: a
    /// signal ends them as it ends any program.
    private static let signalStatus = "128+N"
    private static let signalMeaning = "signal N came a second time"

    /// Every status with its meaning, in the order of the numbers.
    package static var list: [(status: String, meaning: String)] {
        allCases.map { (status: String($0.rawValue), meaning: $0.meaning) }
            + [(status: signalStatus, meaning: "serve: \(signalMeaning)")]
    }

    /// The list for `--help`, which wraps no line of at most 80 columns.
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

    /// What such a text begins with.
    package static let helpTitle = "Exit status:"

    private static func text(_ list: [(status: String, meaning: String)]) -> String {
        let width = list.map(\.status.count).max() ?? 0
        let lines = list.map { item in
            "  \(item.status)\(String(repeating: " ", count: width - item.status.count))  \(item.meaning)"
        }
        return ([helpTitle] + lines).joined(separator: "\n")
    }
}
