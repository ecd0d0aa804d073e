import KMSJSON
import Logging
import NCloudKMS
import KMSPlatform

/// Checks everything that a call needs, one thing at a time, and continues after a failure. Blocks.
package struct Doctor {
    /// All errors in a configuration: at least one.
    package struct Mistakes: Error {
        package let errors: [ConfigurationError]

        package init(_ errors: [ConfigurationError]) {
            self.errors = errors
        }
    }

    private let key: KeyReference?
    private let report: (Finding) -> Void
    private var hasFailed = false

    /// - Parameters:
    ///   - key: if given, a real call is made for it.
    ///   - report: receives each finding as soon as it is known.
    package init(key: KeyReference?, report: @escaping (Finding) -> Void) {
        self.key = key
        self.report = report
    }

    /// Runs all checks.
    ///
    /// - Parameters:
    ///   - configuration: the configuration, or all errors in it.
    /// - Returns: whether no check has failed.
    package mutating func examine(
        _ configuration: Result<ProgramConfiguration, Mistakes>, logger: (ProgramConfiguration) -> Logger
    ) -> Bool {
        let usable = examineConfiguration(configuration)
        let hasLibraries = examineLibraries()
        guard let usable, hasLibraries else {
            let rest: [Finding.Check] =
                [.credentials, .authorities, .dns, .connection, .clock] + (key == nil ? [] : [.key])
            skip(rest, usable == nil ? "skipped: invalid configuration" : "skipped: unusable libraries")
            return false
        }
        var (credentials, correction) = (Credentials?.none, Duration.zero)
        do throws(KMSError) {
            let probe = try ServiceProbe(usable.client)
            credentials = examineCredentials(probe)
            examineAuthorities(probe)
            examineDNS(probe, usable.client)
            correction = examineConnection(probe, usable.client)
        } catch {
            skip([.credentials, .authorities, .dns], "skipped: a connection can't be set up")
            fail(.connection, error)
            skip([.clock], "skipped: no answer")
        }
        examineEngine(usable.client, credentials, clockCorrection: correction)
        if let key { examineKey(key, usable, logger(usable)) }
        return !hasFailed
    }

    // MARK: The checks

    private mutating func examineConfiguration(
        _ configuration: Result<ProgramConfiguration, Mistakes>
    ) -> ProgramConfiguration? {
        switch configuration {
        case .failure(let mistakes):
            for error in mistakes.errors { add(.configuration, .failed, error.message, CommandError(error)) }
            return nil
        case .success(let configuration):
            let client = configuration.client
            let proxy = client.usesProxy ? ", using a proxy" : ""
            add(
                .configuration, .passed,
                "endpoint \(client.endpoint), zone \(configuration.zone.rawValue)\(proxy)")
            return configuration
        }
    }

    private mutating func examineLibraries() -> Bool {
        do {
            add(.libraries, .passed, try CurlEnvironment.ready().versions)
            return true
        } catch {
            add(.libraries, .failed, error.description)
            return false
        }
    }

    /// - Returns: the client's credentials, if it has any.
    private mutating func examineCredentials(_ probe: ServiceProbe) -> Credentials? {
        do {
            let found = try probe.credentials()
            add(.credentials, .passed, found.credentials.description)
            if let file = found.fileOpenToOthers {
                add(
                    .credentials, .warned,
                    "other users can read or change \(file); make it yours if it is not (chown), and run: chmod go= \(file)"
                )
            }
            if let advice = found.credentials.adviceOnQuotationMarks { add(.credentials, .warned, advice) }
            return found.credentials
        } catch {
            fail(.credentials, error)
            return nil
        }
    }

    private mutating func examineAuthorities(_ probe: ServiceProbe) {
        do {
            guard let authorities = try probe.authorities() else {
                return skip([.authorities], "skipped: not needed for plain HTTP")
            }
            add(.authorities, .passed, authorities)
        } catch {
            fail(.authorities, error)
        }
    }

    private mutating func examineDNS(_ probe: ServiceProbe, _ client: KMSClientConfiguration) {
        let host = client.endpoint.host
        do {
            let addresses = try probe.addresses()
            let isName = addresses != [host]
            add(
                .dns, .passed,
                isName
                    ? "\(host) resolves to \(addresses.joined(separator: ", "))"
                    : "\(host) is an IP address, which needs no lookup")
        } catch {
            let problem = "\(host) was not found: \(error)"
            // With a proxy, the proxy resolves names, so this machine need not.
            if client.usesProxy { return add(.dns, .skipped, "\(problem); the proxy may find it") }
            add(.dns, .failed, "\(problem); check the network and its name servers")
        }
    }

    /// - Returns: what the client adds to this machine's clock.
    private mutating func examineConnection(_ probe: ServiceProbe, _ client: KMSClientConfiguration) -> Duration {
        let contact: ServiceProbe.Contact
        do {
            contact = try probe.contact()
        } catch {
            fail(.connection, error)
            skip([.clock], "skipped: no answer")
            return .zero
        }
        let handshake = contact.isEncrypted ? ", TLS \(contact.handshake.milliseconds) ms" : ", not encrypted"
        add(
            .connection, .passed,
            "HTTP \(contact.status); name \(contact.nameLookup.milliseconds) ms, TCP \(contact.connect.milliseconds) ms"
                + handshake)
        return examineClock(contact.clockDifference, correctsClock: client.correctsClock)
    }

    private mutating func examineClock(_ difference: Duration?, correctsClock: Bool) -> Duration {
        guard let difference else {
            skip([.clock], "skipped: the answer has no Date header")
            return .zero
        }
        let seconds = difference.milliseconds / 1_000
        let text =
            seconds == 0
            ? "the same as the service's"
            : "\(seconds.magnitude) s \(seconds > 0 ? "behind" : "ahead of") the service's"
        guard seconds.magnitude >= UInt64(ClockSkew.tolerance.components.seconds) else {
            add(.clock, .passed, text)
            return .zero
        }
        let correction = correctsClock ? ", which the client corrects" : ""
        add(
            .clock, correctsClock ? .warned : .failed,
            "\(text)\(correction); the service refuses signatures that are 5 minutes off or more; set the clock")
        return correctsClock ? difference : .zero
    }

    private mutating func examineEngine(
        _ client: KMSClientConfiguration, _ credentials: Credentials?, clockCorrection: Duration
    ) {
        var findings: [Finding] = []
        do throws(KMSError) {
            guard let probe = try SharedEngineProbe(client) else { return }
            let examination = EngineExamination(probe) { [report] finding in
                findings.append(finding)
                report(finding)
            }
            examination.run(key: key, credentials: credentials, clockCorrection: clockCorrection)
        } catch {
            fail(.engine, error)
        }
        if findings.contains(where: { $0.verdict == .failed }) { hasFailed = true }
    }

    private mutating func examineKey(_ reference: KeyReference, _ configuration: ProgramConfiguration, _ logger: Logger)
    {
        do {
            let client = try configuration.makeClient(logger: logger)
            let query = PublicKeyQuery(keyTag: reference.keyTag, version: reference.version)
            let key = try client.waitForKeys([query])[0].get().key
            let curve = key.curve.map { " on \($0.rawValue)" } ?? ""
            add(
                .key, .passed,
                "\(reference.keyTag) is an \(key.keyType.rawValue) key with \(key.keySize) bits\(curve), SHA-256 \(key.spkiSHA256)"
            )
        } catch let error as KMSError {
            fail(.key, error)
        } catch {
            add(.key, .failed, "\(error)")
        }
    }

    // MARK: Findings

    private mutating func add(
        _ check: Finding.Check, _ verdict: Finding.Verdict, _ text: String, _ error: CommandError? = nil
    ) {
        if verdict == .failed { hasFailed = true }
        report(Finding(check: check, verdict: verdict, text: text, error: error))
    }

    private mutating func fail(_ check: Finding.Check, _ error: KMSError) {
        let error = CommandError(error)
        add(check, .failed, error.line, error)
    }

    private mutating func skip(_ checks: [Finding.Check], _ reason: String) {
        for check in checks { add(check, .skipped, reason) }
    }
}

/// The result of one check of `doctor`.
package struct Finding: Equatable, Sendable {
    enum Check: String, CaseIterable, Sendable {
        case configuration, libraries, credentials, authorities, dns, connection, clock, key
        // Of the shared engine.
        case engine
        case engineDNS = "engine-dns"
        case engineClock = "engine-clock"
        case engineRights = "engine-rights"
        case engineMemory = "engine-memory"
        case engineNames = "engine-names"
    }

    enum Verdict: String, Sendable {
        case passed = "ok"
        /// It works, but should be changed.
        case warned = "warn"
        case failed = "fail"
        /// It was not checked, because something that it needs failed.
        case skipped = "skip"
    }

    let check: Check
    let verdict: Verdict
    /// Text for people; it never contains a secret.
    let text: String
    /// The error of a failed check, if it has one.
    var error: CommandError?

    /// The finding as one line in columns.
    package var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        let width = Check.allCases.map(\.rawValue.count).max() ?? 0
        // Upper case makes a failure stand out.
        let word = verdict == .failed ? verdict.rawValue.uppercased() : verdict.rawValue
        return "\(padded(word, 4)) \(padded(check.rawValue, width)) \(LogFormat.escapingControls(text))"
    }

    /// The finding as one JSON object: `check`, `verdict`, `text`, and `error` if the check failed with one.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.object { finding in
            finding.member("check", check.rawValue)
            finding.member("verdict", verdict.rawValue)
            finding.member("text", text)
            if let error { finding.member("error", error) }
        }
        return json.bytes
    }
}
