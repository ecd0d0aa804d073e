import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "idle". The kernel counts how often each thread was woken.
@Suite(.timeLimit(.minutes(5))) struct IdleTests {
    @Test(.notUnderThreadSanitizer)
    func `while another process does a thousand things an idle one does nothing`() async throws {
        try await idle {
            _ = try await ServiceProcess.run { busy in
                for number in 1...1_000 { _ = try await busy.ask(Lines.probe(number)) }
            }
        }
    }

    @Test(.enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"))
    func `idle for a minute it does nothing`() async throws {
        try await idle {
            // The time is what this is about.
            try await onOwnThread { _ = poll(nil, 0, 60_000) }
        }
    }

    /// Has a process make calls, and then expects that no thread of it wakes up while `body` runs.
    private func idle(while body: () async throws -> Void) async throws {
        try await EmulatedKMS.with { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                // Connections, cached keys, failures and a deadline that was not needed: all that could leave a timer.
                for (number, key) in ["demo-rsa", "demo-ec", "demo-rsa", "nobody", "demo-aes"].enumerated() {
                    _ = try await process.ask(Lines.getPublicKey(number, key))
                }
                let files = ProcessFiles(processID: process.processID)
                let before = try await files.settled()
                #expect(before.count == 1)
                try await body()
                #expect(try files.threads() == before)
                _ = try await process.ask(Lines.probe(1))
            }
            #expect(outcome.status == 0)
        }
    }
}
