import Testing

@testable import NCloudKMS

@Suite struct RequestSignerTests {
    /// Computed with three independent implementations of HMAC.
    struct Vector: Sendable {
        let method: String
        let target: String
        let timestamp: Int64
        let accessKey: String
        let secretKey: String
        let signature: String
    }

    static let longTarget = "/kms/v1/keys/a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5z6/get-pub-key"
    static let vectors = [
        Vector(
            method: "POST", target: longTarget, timestamp: 1_700_000_000_000, accessKey: "AK_TEST",
            secretKey: "SK_TEST", signature: "pX6auIpt5VICtRDG3S4AsSjq4vwFQHU9iEUJkU36QFE="),
        Vector(
            method: "POST", target: longTarget, timestamp: 1_234_567_890_123, accessKey: "TestAccessKey",
            secretKey: "TestSecretKey", signature: "IpIOyEkkZZb7TDFm5iWdn9GBn38aHkdAjFvhDHFF0ro="),
        Vector(
            method: "POST", target: "/kms/v1/keys/a1b2c3d4e5f6g7h8/get-pub-key", timestamp: 1_700_000_000_000,
            accessKey: "AKEXAMPLEACCESSKEY00", secretKey: "SKEXAMPLESECRETKEY0123456789abcdefghijkl",
            signature: "w6UJlhIgIxhtpNfVccozdtfHnOiRba/O6ONld/WqF/c="),
        Vector(
            method: "POST", target: "/vserver/v2/createServerInstances?regionCode=KR", timestamp: 1_700_000_000_000,
            accessKey: "AK_TEST", secretKey: "SK_TEST", signature: "xBcE26XFU55BMjppdPT7ZY3oDrqoOedfPyAn3Cq4lUw="),
        Vector(
            method: "GET", target: "/vserver/v2/getServerInstanceList?responseFormatType=json",
            timestamp: 1_234_567_890_123, accessKey: "TestAccessKey", secretKey: "TestSecretKey",
            signature: "FPsYYX8fuMAgi+cue3eACOW0dNtIwu1LYWfg/megA2M="),
    ]

    @Test(arguments: vectors)
    func `the published vectors come out`(vector: Vector) throws {
        let signer = try RequestSigner(
            Credentials(accessKeyID: vector.accessKey, secretAccessKey: SecretBytes(vector.secretKey.utf8)))
        // Twice: the second one starts the keyed context again.
        for _ in 0..<2 {
            let headers = try signer.headers(
                method: vector.method, target: vector.target, timestampMilliseconds: vector.timestamp)
            #expect(
                headers.map(\.name) == [
                    "x-ncp-apigw-timestamp", "x-ncp-iam-access-key", "x-ncp-apigw-signature-v2",
                ])
            #expect(headers.map(\.value) == [String(vector.timestamp), vector.accessKey, vector.signature])
        }
    }

    @Test func `one signer makes a new signature for each attempt`() throws {
        let signer = try RequestSigner(
            Credentials(accessKeyID: "AK_TEST", secretAccessKey: SecretBytes("SK_TEST".utf8)))
        let signatures = try (0..<3).map { attempt in
            try signer.headers(
                method: "POST", target: Self.longTarget, timestampMilliseconds: 1_700_000_000_000 + attempt)[2].value
        }
        #expect(Set(signatures).count == 3)
        #expect(signatures[0] == Self.vectors[0].signature)
    }

    @Test func `a token is one header and no signature`() throws {
        let signer = try RequestSigner(Credentials(token: SecretBytes("a.token".utf8)))
        let headers = try signer.headers(method: "POST", target: Self.longTarget, timestampMilliseconds: 1)
        #expect(headers.map(\.name) == ["x-ncp-ocapi-token"])
        #expect(headers.map(\.value) == ["a.token"])
    }

    @Test func `a key longer than the hash's block is hashed first`() throws {
        // RFC 4231, test case 6: a key of 131 bytes.
        let authenticator = try MessageAuthenticator(key: SecretBytes([UInt8](repeating: 0xAA, count: 131)))
        let digest = try authenticator.authenticate(
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
        #expect(
            digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
}
