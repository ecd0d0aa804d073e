import KMSPlatform

/// An answer of the engine (RESP2).
enum EngineReply: Equatable {
    /// A short text such as `OK`.
    case status([UInt8])
    case error(EngineError)
    case integer(Int64)
    case bytes([UInt8])
    case array([EngineReply])
    /// There is no such value.
    case null
}

/// An error that the engine answered.
struct EngineError: Error, Equatable {
    enum Kind: Equatable {
        /// The engine does not have the script of this digest.
        case noScript
        /// It can't serve now: the other end of a failover, still loading, or out of memory.
        case unavailable
        /// Somebody has to change something.
        case refused
    }

    let kind: Kind
    /// The first word, which names the kind of error: `WRONGPASS`.
    let code: String
    /// The engine's text, at most 256 bytes. It may repeat words of the command.
    let text: String

    private static let unavailable: Set<String> = [
        "READONLY", "LOADING", "MASTERDOWN", "TRYAGAIN", "BUSY", "OOM", "MISCONF", "NOREPLICAS",
    ]

    init(_ text: some Collection<UInt8>) {
        let text = String(decoding: text, as: UTF8.self)
        let words = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        var code = words.first ?? ""
        // Redis 6 wraps the errors of a script's commands: "ERR Error running script (call to f_…): … -OOM command …".
        if code == "ERR", text.contains("Error running script"),
            let inner = words.lazy.map({ $0.hasPrefix("-") ? String($0.dropFirst()) : $0 }).first(where: Self.isKnown)
        {
            code = inner
        }
        self.code = code.prefix(utf8Bytes: 32)
        self.text = text.excerpt
        kind =
            switch code {
            case "NOSCRIPT": .noScript
            case let code where Self.unavailable.contains(code): .unavailable
            case "ERR" where text.contains("max number of clients"): .unavailable
            default: .refused
            }
    }

    private static func isKnown(_ word: String) -> Bool { unavailable.contains(word) || word == "NOPERM" }

    /// What it means for the connection.
    var loss: EngineLoss {
        EngineLoss(kind: kind == .refused ? .refused : .unreachable, message: message)
    }

    /// What it means that the engine wants a password, and there is none.
    ///
    /// - Parameter names: of the parameters to change.
    func lossWithoutPassword(_ names: SharedStateConfiguration.Names) -> EngineLoss {
        EngineLoss(kind: .credentials, message: "the engine requires a password; give it with \(names.password)")
    }

    /// What it means in answer to the login. The engine's text is not repeated: it may hold the password.
    ///
    /// - Parameter names: of the parameters to change.
    func lossOfLogin(user: String, _ names: SharedStateConfiguration.Names) -> EngineLoss {
        let message =
            switch code {
            case "WRONGPASS":
                "the engine refuses the user \(user.excerpt) or the password; correct \(names.user) or \(names.password)"
            case "NOAUTH", "NOPERM": "the engine does not let the user \(user.excerpt) log in; see its access list"
            case "ERR" where text.hasPrefix("ERR AUTH"):
                "the engine has no password for the user \(user.excerpt); set one there, or remove \(names.password)"
            case "ERR" where text.contains("max number of clients"):
                "the engine has too many clients; raise its maxclients"
            case let code where Self.unavailable.contains(code): "the engine answers the login with \(code)"
            default: "the engine does not know this way to log in (AUTH USER PASSWORD); it must be Redis 6 or newer"
            }
        return EngineLoss(kind: loss.kind == .refused ? .credentials : loss.kind, message: message)
    }

    private var message: String {
        let said = "the engine answers \"\(text)\""
        return switch code {
        case "NOAUTH": "the engine requires a password"
        case "WRONGPASS": "the engine refuses the user or the password"
        case "NOPERM": "\(said); give its user this right, in the engine's access list"
        case "MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT":
            "\(said); a cluster must be used through the address of a proxy"
        case "OOM": "\(said); raise the engine's maxmemory, or let it evict (volatile-ttl)"
        case "ERR" where text.contains("can't run this command"):
            "\(said); give its user the commands of the scripts, in the engine's access list"
        case "ERR" where text.contains("max number of clients"): "\(said); raise the engine's maxclients"
        default: said
        }
    }
}

/// Why the engine can't be used now.
struct EngineLoss: Error, Equatable {
    enum Kind: Equatable {
        /// Worth trying again soon.
        case unreachable
        /// The user, the password or a file of the login is wrong. Files are read again.
        case credentials
        /// Somebody has to change something first, in the engine or its address.
        case refused
    }

    let kind: Kind
    /// A clause for the log and the status that says what to do. It holds no secret.
    let message: String
}

extension EngineLoss {
    /// The connection was not made, or was lost.
    init(_ failure: TransportFailure) {
        // As a clause.
        let text = failure.message
        self.init(kind: .unreachable, message: text.hasSuffix(".") ? String(text.dropLast()) : text)
    }
}
