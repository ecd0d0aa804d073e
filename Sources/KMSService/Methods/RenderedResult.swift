import JSON
import JSONRPC
import NCloudKMS
import Platform

/// The result of one `getPublicKey`, as JSON.
struct RenderedResult: Sendable {
    let bytes: [UInt8]
    /// Where the age stands in them, the one thing that differs between answers of one fetch.
    private let age: Range<Int>

    /// A key of 2,048 bits without other formats has less.
    private static let usualBytes = 1_024

    /// Members in the order of the protocol's table.
    init(_ answer: PublicKeyAnswer, formats: [KeyFormat]) throws(RPCError) {
        let key = answer.key
        var encodings: [(name: String, json: [UInt8])] = []
        for format in formats { encodings += try format.members(of: key, keyTag: answer.keyTag.text) }
        var json = JSONWriter(capacity: Self.usualBytes)
        var age = 0..<0
        json.object { result in
            result.member("keyTag", answer.keyTag.text)
            result.member("keyVersion", answer.version?.number)
            result.member("publicKey") { $0.raw(key.pemJSON) }
            result.member("keyType", key.keyType.rawValue)
            result.member("keySize", key.keySize)
            if let curve = key.curve { result.member("curve", curve.rawValue) }
            result.member("spkiSha256", key.spkiSHA256)
            for encoding in encodings { result.member(named: encoding.name) { $0.raw(encoding.json) } }
            result.member("source", answer.source.rawValue)
            result.member("ageMs") { number in
                let start = number.bytes.count
                number.value(Int(answer.age.milliseconds))
                age = start..<number.bytes.count
            }
            result.member("attempts", answer.attempts)
            if let requestID = answer.requestID { result.member("requestId", requestID) }
        }
        bytes = json.bytes
        self.age = age
    }

    /// Appends the same result with another age.
    func append(to json: inout [UInt8], age: Duration) {
        json.append(contentsOf: bytes[..<self.age.lowerBound])
        json.append(decimal: Int(age.milliseconds))
        json.append(contentsOf: bytes[self.age.upperBound...])
    }
}
