import KMSPlatform
import Testing

@testable import NCloudKMS

/// What may be done with a connection, decided before each request.
@Suite struct ConnectionCheckTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var check: ConnectionCheck
        var decision: ConnectionCheck.Decision

        var testDescription: String { name }

        init(_ name: String, _ check: ConnectionCheck, _ decision: ConnectionCheck.Decision) {
            (self.name, self.check, self.decision) = (name, check, decision)
        }
    }

    @Test(arguments: [
        Row("new and silent", ConnectionCheck(), .use(firstByteWithin: nil)),
        Row("new, with an answer", ConnectionCheck(input: .data), .refuse),
        Row("new, after a kept one was dead", ConnectionCheck(wasWrittenBefore: true), .use(firstByteWithin: nil)),
        Row("kept and silent", ConnectionCheck(isKept: true), .use(firstByteWithin: nil)),
        Row("kept, with an answer", ConnectionCheck(isKept: true, input: .data), .replace),
        Row("kept, and closed", ConnectionCheck(isKept: true, input: .end), .replace),
        Row("kept, and given up", ConnectionCheck(isKept: true, isCondemned: true), .replace),
        Row("kept, after another kept one was dead", ConnectionCheck(isKept: true, wasWrittenBefore: true), .replace),
        Row(
            "idle for 5 s", ConnectionCheck(isKept: true, idle: .seconds(5), hasAnotherAttempt: true),
            .use(firstByteWithin: nil)),
        Row(
            "idle for longer", ConnectionCheck(isKept: true, idle: .milliseconds(5_001), hasAnotherAttempt: true),
            .use(firstByteWithin: .seconds(3))),
        Row(
            "idle for longer, at the last attempt", ConnectionCheck(isKept: true, idle: .seconds(50)),
            .use(firstByteWithin: nil)),
    ])
    func `a connection is used, replaced or refused`(row: Row) {
        #expect(row.check.decision == row.decision)
    }

    @Test(arguments: [
        (0, false, ConnectionCheck.Input.end), (1, false, .data), (0, true, .end), (24, true, .end), (31, true, .end),
        (85, true, .end), (97, true, .data),
    ])
    func `the end of a connection is no data, in TLS neither`(
        count: Int, isEncrypted: Bool, input: ConnectionCheck.Input
    ) {
        #expect(ConnectionCheck.Input(count: count, isEncrypted: isEncrypted) == input)
    }

    @Test(arguments: [
        (ConnectionCheck(isKept: true, input: .data), true),
        (ConnectionCheck(isKept: true, input: .data, idle: .milliseconds(999)), true),
        // A balancer that is tired of the connection says so, often with a 408.
        (ConnectionCheck(isKept: true, input: .data, idle: .seconds(1)), false),
        (ConnectionCheck(isKept: true, input: .end), false), (ConnectionCheck(isKept: true), false),
        (ConnectionCheck(isKept: true, isCondemned: true, input: .data), false), (ConnectionCheck(input: .data), false),
    ])
    func `data soon after an answer is a surplus`(check: ConnectionCheck, isSurplus: Bool) {
        #expect(check.showsSurplus == isSurplus)
    }
}
