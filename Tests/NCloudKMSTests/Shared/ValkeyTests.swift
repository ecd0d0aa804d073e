import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite(.enabled(if: isExecutable(RedisServer.Kind.valkey.program), "valkey-server is not installed"))
struct ValkeyTests {
    @Test func `Valkey runs both scripts`() throws {
        let budget = try ScriptFixture(.budget, .valkey)
        let arguments = ["300000", "5", "0", "0"].map { Array($0.utf8) }
        let numbers = try budget.run(keys: ["nkms:1:b:{0}"], arguments).elements?.compactMap(\.integer)
        #expect(numbers == [5, -96_686, 3_334, 300_000, budget.now])
        let flight = try ScriptFixture(.flight, .valkey)
        let answers = try ["a", "b"].map { id in
            try flight.run(keys: ["nkms:1:k:{0}", "nkms:1:f:{0}"], ["ask", id, ""].map { Array($0.utf8) })
        }
        #expect(answers.map { $0.elements?.first?.text } == ["lead", "wait"])
    }
}
