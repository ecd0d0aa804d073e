import KMSJSON
import KMSEmulator
import KMSTestSupport
import Testing

/// A call of `getPublicKey`, right or wrong, and what the answer to it must be.
struct AcceptanceCall {
    enum Expectation: Equatable {
        case key(publicKey: String, version: Int?, type: String)
        case error(Int)
    }

    let line: String
    /// As it must come back.
    let id: String
    let expectation: Expectation

    /// - Parameter seed: what the emulator knows; the expectations come from it.
    static func random(_ count: Int, of known: Seed, seed: UInt64) -> [AcceptanceCall] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { random(number: $0, known, &generator) }
    }

    private static func random(number: Int, _ known: Seed, _ generator: inout SeededGenerator) -> AcceptanceCall {
        let id = oddID(number, &generator)
        let key = known.keys[Int.random(in: 0..<known.keys.count, using: &generator)]
        let version: Int? = Bool.random(using: &generator) ? nil : Int.random(in: 1...4, using: &generator)
        if Int.random(in: 0..<5, using: &generator) == 0 {
            let wrong = wrongParameters(key.keyTag)
            let params = wrong[Int.random(in: 0..<wrong.count, using: &generator)]
            return AcceptanceCall(
                line: Lines.request(id, "getPublicKey", params.json), id: id, expectation: .error(params.code))
        }
        let byPosition = Bool.random(using: &generator)
        let spelling =
            version.map { ["\($0)", "\($0).0", "\($0)e0"][Int.random(in: 0..<3, using: &generator)] } ?? "null"
        let params =
            byPosition ? #"["\#(key.keyTag)",\#(spelling)]"# : #"{"keyVersion":\#(spelling),"keyTag":"\#(key.keyTag)"}"#
        return AcceptanceCall(
            line: Lines.request(id, "getPublicKey", params), id: id, expectation: expectation(of: key, version))
    }

    private static func expectation(of key: Seed.Key, _ version: Int?) -> Expectation {
        // The service's latest version is the last one that is enabled.
        let versions = key.versions.filter { $0.status == .enabled }
        let found = version.map { number in versions.first { $0.number == number } } ?? versions.last
        guard key.status == .enabled, key.keyType != .aes256, let publicKey = found?.publicKey else {
            return .error(1005)
        }
        return .key(publicKey: publicKey, version: version, type: key.keyType == .ecdsa ? "EC" : "RSA")
    }

    /// Ids that are legal and that no careless reader gives back as they were.
    private static func oddID(_ number: Int, _ generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<9, using: &generator) {
        case 0: "\(number)"
        case 1: "-\(number).50"
        case 2: "\(number)e2"
        case 3: "1844674407370955\(1_000_000 + number)"
        case 4: "0.\(number)E-3"
        case 5: #""\u00e9\#(number)""#
        case 6: #""é\/\ud83d\ude00 \#(number)\t""#
        case 7: #""\"\\\#(number)""#
        default: #""\#(String(repeating: "long", count: 100))\#(number)""#
        }
    }

    private static func wrongParameters(_ keyTag: String) -> [(json: String, code: Int)] {
        [
            ("{}", -32602), ("[]", -32602), (#"{"keyTag":7}"#, -32602), (#"{"keyTag":""}"#, -32602),
            (#"{"keyTag":".."}"#, -32602), (#"{"keyTag":"a/b"}"#, -32602), (#"{"keyTag":null}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","keyVersion":0}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","keyVersion":101}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","keyVersion":1.5}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","keyVersion":"1"}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","colour":"red"}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","formats":["pem"]}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","timeoutMs":0}"#, -32602),
            (#"{"keyTag":"\#(keyTag)","keyTag":"\#(keyTag)"}"#, -32600),
            (#"["\#(keyTag)",null,[],null,null,1]"#, -32602), (#"{"keyTag":"nobody"}"#, 1004), ("7", -32600),
        ]
    }

    func check(_ answer: WireAnswer?) {
        guard let answer else {
            Issue.record("no answer to \(line)")
            return
        }
        switch expectation {
        case .error(let code):
            #expect(answer.code == code, "\(line)")
        case .key(let publicKey, let version, let type):
            #expect(answer.result?["publicKey"]?.string == publicKey, "\(line): \(answer.message ?? "")")
            #expect(answer.result?["keyVersion"]?.integer == version, "\(line)")
            #expect(answer.result?["keyType"]?.string == type, "\(line)")
        }
    }
}
