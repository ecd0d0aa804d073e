import Testing

@testable import KMSEmulator

/// A signature that three independent implementations of HMAC agree on.
struct SignatureVector: Sendable, CustomTestStringConvertible {
    var method: String
    var target: String
    var timestamp: String
    var accessKey: String
    var secret: String
    var signature: String

    var testDescription: String { "\(method) \(target)" }

    func matches() -> Bool {
        RequestSignature.matches(
            signature,
            RequestSignature.compute(
                method: method, target: target, timestamp: timestamp, accessKey: accessKey, secret: secret))
    }

    static let longTarget = "/kms/v1/keys/a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5z6/get-pub-key"
    static let all = [
        SignatureVector(
            method: "POST", target: longTarget, timestamp: "1700000000000", accessKey: "AK_TEST", secret: "SK_TEST",
            signature: "pX6auIpt5VICtRDG3S4AsSjq4vwFQHU9iEUJkU36QFE="),
        SignatureVector(
            method: "POST", target: longTarget, timestamp: "1234567890123", accessKey: "TestAccessKey",
            secret: "TestSecretKey", signature: "IpIOyEkkZZb7TDFm5iWdn9GBn38aHkdAjFvhDHFF0ro="),
        SignatureVector(
            method: "POST", target: "/kms/v1/keys/a1b2c3d4e5f6g7h8/get-pub-key", timestamp: "1700000000000",
            accessKey: "AKEXAMPLEACCESSKEY00", secret: "SKEXAMPLESECRETKEY0123456789abcdefghijkl",
            signature: "w6UJlhIgIxhtpNfVccozdtfHnOiRba/O6ONld/WqF/c="),
        SignatureVector(
            method: "POST", target: "/vserver/v2/createServerInstances?regionCode=KR", timestamp: "1700000000000",
            accessKey: "AK_TEST", secret: "SK_TEST", signature: "xBcE26XFU55BMjppdPT7ZY3oDrqoOedfPyAn3Cq4lUw="),
        SignatureVector(
            method: "GET", target: "/vserver/v2/getServerInstanceList?responseFormatType=json",
            timestamp: "1234567890123", accessKey: "TestAccessKey", secret: "TestSecretKey",
            signature: "FPsYYX8fuMAgi+cue3eACOW0dNtIwu1LYWfg/megA2M="),
    ]
}

@Suite struct RequestSignatureTests {
    @Test(arguments: SignatureVector.all)
    func `the vectors of the specification are accepted`(vector: SignatureVector) {
        #expect(vector.matches())
    }

    @Test(arguments: SignatureVector.all)
    func `one changed byte in any part is refused`(vector: SignatureVector) {
        let parts: [WritableKeyPath<SignatureVector, String> & Sendable] = [
            \.method, \.target, \.timestamp, \.accessKey, \.secret, \.signature,
        ]
        for part in parts {
            for position in 0..<vector[keyPath: part].utf8.count {
                var changed = vector
                var bytes = Array(vector[keyPath: part].utf8)
                bytes[position] ^= 1
                changed[keyPath: part] = String(decoding: bytes, as: UTF8.self)
                #expect(!changed.matches(), "byte \(position) of \(part)")
            }
        }
    }

    @Test func `a signature that is cut or too long is refused`() {
        for signature in [
            "", String(SignatureVector.all[0].signature.dropLast()), SignatureVector.all[0].signature + "=",
        ] {
            var vector = SignatureVector.all[0]
            vector.signature = signature
            #expect(!vector.matches())
        }
    }
}
