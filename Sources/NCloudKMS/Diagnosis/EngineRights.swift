import KMSPlatform

/// What the engine's user must be allowed to do: which commands to try, and what the replies say.
///
/// Everything is tried on names that no process uses, and nothing stays in the engine.
struct EngineRights {
    /// One command, on one name.
    struct Trial {
        let command: EngineCommand
        /// Its name in the engine's access list.
        let right: String
        /// The names that it needs, as a pattern of the access list; nil if it needs none.
        let names: String?
    }

    private let keys: SharedStateConfiguration.Keys
    private let prefix: String
    private let budget: String
    private let entry: SharedKeyNames

    /// - Parameter id: no key has it.
    init(keys: SharedStateConfiguration.Keys, prefix: String, id: String) {
        self.keys = keys
        self.prefix = prefix
        budget = "\(prefix):1:b:{\(id)}"
        entry = SharedKeyNames(prefix: prefix, id)
    }

    /// The commands that the scripts, or plain look-ups, run.
    var trials: [Trial] {
        let noScript = String(repeating: "0", count: 40)
        var trials = [
            Trial(command: EngineCommand("TIME"), right: "time", names: nil),
            Trial(command: EngineCommand("EVALSHA", noScript, "0"), right: "evalsha", names: nil),
            Trial(command: EngineCommand("EVAL", "return 1", "0"), right: "eval", names: nil),
            // The engine looks at the rights before it sees that a value is missing.
            Trial(command: EngineCommand("HSET", budget, "a", "1", "b"), right: "hset", names: pattern("b")),
            Trial(command: EngineCommand("HMGET", budget, "tat"), right: "hmget", names: pattern("b")),
            Trial(command: EngineCommand("PEXPIRE", budget, "1"), right: "pexpire", names: pattern("b")),
            Trial(command: EngineCommand("DEL", budget), right: "del", names: pattern("b")),
        ]
        if keys == .off { return trials }
        for (name, kind) in [(entry.entry, "k"), (entry.marker, "f")] {
            trials.append(Trial(command: EngineCommand("GET", name), right: "get", names: pattern(kind)))
            if keys == .read { continue }
            trials += [
                Trial(command: EngineCommand("SET", name, "0", "PX", "1000"), right: "set", names: pattern(kind)),
                Trial(command: EngineCommand("PTTL", name), right: "pttl", names: pattern(kind)),
                Trial(command: EngineCommand("PEXPIRE", name, "1000"), right: "pexpire", names: pattern(kind)),
                Trial(command: EngineCommand("DEL", name), right: "del", names: pattern(kind)),
            ]
        }
        return trials
    }

    private func pattern(_ kind: String) -> String { "~\(prefix):1:\(kind):*" }

    /// What is missing, in the words of the access list, and the first error of another kind.
    ///
    /// - Parameter replies: to `trials`, in their order.
    func verdict(on replies: [EngineReply]) -> (missing: [String], failure: EngineError?) {
        var missing: [String] = []
        var failure: EngineError?
        for (trial, reply) in zip(trials, replies) {
            guard case .error(let error) = reply else { continue }
            switch error.code {
            case "NOSCRIPT": continue
            case "ERR" where error.text.contains("wrong number of arguments"): continue
            case "NOPERM":
                let isName = error.text.contains("permissions to access")
                let right = isName ? trial.names ?? "~*" : "+\(trial.right)"
                if !missing.contains(right) { missing.append(right) }
            default: failure = failure ?? error
            }
        }
        return (missing, failure)
    }

    /// Both scripts, as the client runs them, and whether the reply is as it must be.
    ///
    /// - Parameter rate: requests per second of all processes together; 0 for no limit.
    func scripts(ratePerKey rate: Int) -> [(command: EngineCommand, isRight: (EngineReply) -> Bool)] {
        let rate = Rate(perSecond: max(rate, 1)).perThousandSeconds
        var scripts: [(command: EngineCommand, isRight: (EngineReply) -> Bool)] = [
            // It throttles a budget that nobody has, which runs every command of the script.
            (script(.budget, [budget], ["\(rate)", "1", "0", "1"]), { Lease.Grant($0, asked: 1) != nil })
        ]
        guard keys == .on else { return scripts }
        let id = String(repeating: "0", count: 32)
        let steps: [([String], FlightReply.Kind?)] = [
            (["ask", id, ""], .lead), (["ask", "another", ""], .wait), (["renew", id], nil),
            (["store", id, "entry", "1000"], nil), (["ask", id, ""], .entry(Array("entry".utf8))),
            (["refuse", id, "1"], nil),
        ]
        for (arguments, kind) in steps {
            scripts.append(
                (
                    script(.flight, [entry.entry, entry.marker], arguments),
                    { reply in
                        if case .error = reply { return false }
                        return kind == nil || FlightReply(reply)?.kind == kind
                    }
                ))
        }
        return scripts
    }

    /// Removes what the scripts left.
    var removal: [EngineCommand] {
        let names = keys == .on ? [budget, entry.entry, entry.marker] : [budget]
        return names.map { EngineCommand("DEL", $0) }
    }

    private func script(_ script: EngineScript, _ keys: [String], _ arguments: [String]) -> EngineCommand {
        .script(script, keys: keys, arguments: arguments.map { Array($0.utf8) })
    }
}
