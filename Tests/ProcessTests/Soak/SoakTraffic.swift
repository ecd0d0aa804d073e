import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport

/// Calls of every kind, as many clients of one process would make them.
struct SoakTraffic {
    /// Calls that wait for an answer at once.
    private static let mostInFlight = 200
    /// Between two requests: some thousand a second, so that the clients leave the machine to the service.
    private static let pause = Duration.microseconds(300)

    private let ledger: SoakLedger
    private let process: ServiceProcess
    private var generator: SeededGenerator

    static let keyCount = 40

    /// Keys of both kinds, one that has no public half, and one whose second version is disabled.
    static func seed(accessKey: Seed.AccessKey) -> Seed {
        let rsa = Seed.demo.keys[0]
        var keys = (0..<keyCount).map { Seed.Key("k\($0)", .ecdsa, [demoKey]) }
        keys += [rsa, Seed.demo.keys[2]]
        return Seed(accessKeys: [accessKey], keys: keys)
    }

    init(_ process: ServiceProcess, ledger: SoakLedger, seed: UInt64) {
        (self.process, self.ledger, generator) = (process, ledger, SeededGenerator(seed: seed))
    }

    /// Sends requests for some time, and then waits until all are answered. For a thread of its own.
    mutating func run(for duration: Duration) throws {
        let end = SystemClock().now + duration
        while SystemClock().now < end {
            while ledger.waiting > Self.mostInFlight { usleep(1_000) }
            for line in next() { try process.send(line) }
            usleep(UInt32(Self.pause.nanoseconds / 1_000))
        }
        // Every call has its deadline, so this ends.
        while ledger.waiting > 0 { usleep(10_000) }
    }

    private mutating func next() -> [String] {
        let tag = "k\(Int.random(in: 0..<Self.keyCount, using: &generator))"
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<58: return [call(.key(demoKey), #"{"keyTag":"\#(tag)"}"#)]
        case 58..<80: return [call(.key(demoKey), #"{"keyTag":"\#(tag)","maxAgeMs":0}"#)]
        case 80..<84:
            let timeout = Int.random(in: 1...20, using: &generator)
            return [call(.key(demoKey), #"{"keyTag":"\#(tag)","maxAgeMs":0,"timeoutMs":\#(timeout)}"#)]
        case 84..<87: return [call(.code(1004), #"{"keyTag":"nobody"}"#)]
        case 87..<89: return [call(.code(1005), #"{"keyTag":"demo-aes"}"#)]
        case 89..<91: return [call(.code(1005), #"{"keyTag":"demo-rsa","keyVersion":2}"#)]
        case 91..<93: return [call(.exactly(-32602), #"{"keyTag":"\#(tag)","keyVersion":101}"#)]
        case 93..<95: return [Lines.request(ledger.expect(.result), "getStatus")]
        case 95..<97:
            let members = (0..<10).map { _ in call(.key(demoKey), #"{"keyTag":"\#(tag)","maxAgeMs":1000}"#) }
            return ["[\(members.joined(separator: ","))]"]
        case 97: return [#"{"jsonrpc":"2.0","method":"getPublicKey","params":["\#(tag)"]}"#]
        default:
            let id = ledger.expect(.maybeCancelled)
            return [
                Lines.request(id, "getPublicKey", #"{"keyTag":"\#(tag)","maxAgeMs":0}"#), Lines.cancel(id),
            ]
        }
    }

    private func call(_ expectation: SoakLedger.Expectation, _ params: String) -> String {
        Lines.request(ledger.expect(expectation), "getPublicKey", params)
    }
}
