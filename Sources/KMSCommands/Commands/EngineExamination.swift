import KMSPlatform
import NCloudKMS

/// The part of `doctor` that checks the shared engine. Blocks.
struct EngineExamination {
    private let probe: SharedEngineProbe
    private let report: (Finding) -> Void

    init(_ probe: SharedEngineProbe, report: @escaping (Finding) -> Void) {
        self.probe = probe
        self.report = report
    }

    /// Runs all checks.
    ///
    /// - Parameters:
    ///   - key: if given, its names in the engine are reported.
    ///   - credentials: the client's, if there are any.
    ///   - clockCorrection: what the client adds to this machine's clock.
    func run(key: KeyReference?, credentials: Credentials?, clockCorrection: Duration) {
        examineName()
        do throws(SharedEngineProbe.Failure) {
            let contact = try probe.contact()
            add(.engine, .passed, text(contact))
            if contact.isCluster ?? false {
                add(
                    .engine, .warned,
                    "it is a member of a cluster; use the address of a proxy, as nothing follows redirections")
            }
            examineClock(contact.clockDifference, clockCorrection)
            examineRights()
            examineMemory()
        } catch {
            add(.engine, .failed, "\(error)")
            for check in [Finding.Check.engineClock, .engineRights, .engineMemory] {
                add(check, .skipped, "skipped: no connection")
            }
        }
        if let key { examineNames(key, credentials) }
    }

    private func text(_ contact: SharedEngineProbe.Contact) -> String {
        let server = contact.server.map { ", \($0)" } ?? ""
        let security = probe.configuration.address.usesTLS ? "over TLS " : ""
        return "\(probe.configuration.address)\(server); connected \(security)and ready in "
            + "\(contact.opening.inMilliseconds) ms, a command takes \(contact.roundTrip.inMilliseconds) ms"
    }

    private func examineName() {
        guard let host = probe.host else { return }
        do throws(LookupFailure) {
            let addresses = try probe.addresses()
            let isName = addresses != [host]
            add(
                .engineDNS, .passed,
                isName
                    ? "\(host) resolves to \(addresses.joined(separator: ", "))"
                    : "\(host) is an IP address, which needs no lookup")
        } catch {
            add(
                .engineDNS, .failed, "\(host) was not found: \(error); check --shared, the network and its name servers"
            )
        }
    }

    private func examineClock(_ difference: Duration?, _ correction: Duration) {
        guard let difference else {
            return add(.engineClock, .skipped, "unknown: the engine's user may not run time")
        }
        let corrected = difference - correction
        let seconds = corrected.milliseconds / 1_000
        let text =
            seconds == 0
            ? "the same as the engine's"
            : "\(seconds.magnitude) s \(seconds > 0 ? "behind" : "ahead of") the engine's"
        guard corrected.magnitude > SharedStateConfiguration.maximumClockDifference else {
            return add(.engineClock, .passed, text)
        }
        guard probe.configuration.keys != .off else {
            return add(.engineClock, .passed, "\(text), which the budget does not depend on")
        }
        add(.engineClock, .failed, "\(text); beyond 5 s no shared key is used; set the clocks")
    }

    private func examineRights() {
        let keys = probe.configuration.keys
        do throws(SharedEngineProbe.Failure) {
            let missing = try probe.missingRights()
            guard missing.isEmpty else {
                let user = probe.configuration.user.excerpt
                return add(
                    .engineRights, .failed,
                    "the engine's user \(user) lacks rights; as an administrator, run there: ACL SETUSER \(user) "
                        + missing.joined(separator: " "))
            }
            let text =
                switch keys {
                case .off: "the budget's script works; keys are not shared"
                case .read: "the budget's script and plain look-ups of keys work"
                case .on: "the scripts of the budget and of the keys work"
                }
            add(.engineRights, .passed, text)
        } catch {
            add(.engineRights, .failed, "\(error)")
        }
    }

    private func examineMemory() {
        do throws(SharedEngineProbe.Failure) {
            guard let policy = try probe.memoryPolicy() else {
                return add(
                    .engineMemory, .skipped,
                    "unknown: the engine's user may not ask; maxmemory-policy should be noeviction or one of volatile-*"
                )
            }
            guard policy == "noeviction" || policy.hasPrefix("volatile-") else {
                return add(
                    .engineMemory, .warned,
                    "maxmemory-policy is \(policy), which may drop budgets; use noeviction or one of volatile-*")
            }
            add(.engineMemory, .passed, "maxmemory-policy is \(policy)")
        } catch {
            add(.engineMemory, .failed, "\(error)")
        }
    }

    private func examineNames(_ key: KeyReference, _ credentials: Credentials?) {
        do throws(KMSError) {
            let names = try probe.names(
                of: PublicKeyRequest(keyTag: key.keyTag, version: key.version), credentials)
            guard let entry = names.entry, let marker = names.marker else {
                return add(
                    .engineNames, .skipped, "budget \(names.budget); the others are unknown without credentials")
            }
            add(.engineNames, .passed, "budget \(names.budget), entry \(entry), marker \(marker)")
        } catch {
            let error = CommandError(error)
            report(Finding(check: .engineNames, verdict: .failed, text: error.line, error: error))
        }
    }

    private func add(_ check: Finding.Check, _ verdict: Finding.Verdict, _ text: String) {
        report(Finding(check: check, verdict: verdict, text: text))
    }
}

extension Duration {
    /// With two decimals: 0.03.
    fileprivate var inMilliseconds: String {
        let hundredths = nanoseconds / 10_000
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
