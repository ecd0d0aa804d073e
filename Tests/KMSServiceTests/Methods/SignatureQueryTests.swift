import KMSJSON
import NCloudKMS
import KMSPublicKeys
import Testing

@testable import KMSJSONRPC
@testable import KMSService

@Suite struct SignatureQueryTests {
    private static let sha256 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="

    private func query(_ params: String) throws -> SignatureQuery {
        try Array(params.utf8).withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes)
            return try SignatureQuery(RawParameters(bytes: bytes, token: scanner.scanText()))
        }
    }

    @Test func `all parameters are read`() throws {
        let query = try query(
            """
            {"keyTag":"k","keyVersion":2,"data":"AQID","signature":"BAU=","algorithm":"ES384","encoding":"p1363",
             "maxAgeMs":5,"timeoutMs":7,"digest":null,"_meta":{}}
            """)
        #expect(query.key.keyTag.text == "k")
        #expect(query.key.version?.number == 2)
        #expect(query.key.maxAge == .milliseconds(5))
        #expect(query.key.timeout == .milliseconds(7))
        #expect(query.signature == [4, 5])
        guard case .algorithm(.es384, .p1363, .data([1, 2, 3])) = query.rule else {
            return #expect(Bool(false), "\(query.rule)")
        }
    }

    @Test func `what is optional has its default`() throws {
        let query = try query(
            #"{"keyTag":"k","digest":"\#(Self.sha256)","signature":"","algorithm":"PS256","encoding":null}"#)
        #expect(query.key.version == nil)
        #expect(query.key.maxAge == nil)
        #expect(query.key.timeout == .seconds(30))
        guard case .algorithm(.ps256, .der, .digest(let digest)) = query.rule else {
            return #expect(Bool(false), "\(query.rule)")
        }
        #expect(digest.count == 32)
    }

    @Test(arguments: [("ncpkms:v3:AQID", ""), ("ncpkms:v3:AQID", #""keyVersion":3,"#), ("AQID", #""keyVersion":3,"#)])
    func `the version is pinned by the signature or by keyVersion`(_ signature: String, _ more: String) throws {
        let query = try query(
            #"{\#(more)"keyTag":"k","data":"","signature":"\#(signature)","algorithm":"RS256"}"#)
        #expect(query.key.version?.number == 3)
        #expect(query.signature == [1, 2, 3])
    }

    @Test(
        arguments: [
            // Missing, unknown and misplaced.
            ("{}", "keyTag"), ("[]", "keyTag"), (#"["k"]"#, nil),
            (#"{"data":"","signature":"","algorithm":"RS256"}"#, "keyTag"),
            (#"{"keyTag":"k","signature":"","algorithm":"RS256"}"#, "data"),
            (#"{"keyTag":"k","data":"","algorithm":"RS256"}"#, "signature"),
            (#"{"keyTag":"k","data":"","signature":""}"#, "algorithm"),
            (#"{"keyTag":"k","data":"","signature":"","algorithm":"RS256","hash":"x"}"#, "hash"),
            // One of two.
            (#"{"keyTag":"k","data":"","digest":"\#(sha256)","signature":"","algorithm":"RS256"}"#, "digest"),
            // Base64.
            (#"{"keyTag":"k","data":"AQI","signature":"","algorithm":"RS256"}"#, "data"),
            (#"{"keyTag":"k","data":"AQ==\n","signature":"","algorithm":"RS256"}"#, "data"),
            (#"{"keyTag":"k","data":"_w==","signature":"","algorithm":"RS256"}"#, "data"),
            (#"{"keyTag":"k","data":7,"signature":"","algorithm":"RS256"}"#, "data"),
            (#"{"keyTag":"k","data":"","signature":"AQ","algorithm":"RS256"}"#, "signature"),
            (#"{"keyTag":"k","data":"","signature":"ncpkms:v0:AQID","algorithm":"RS256"}"#, "signature"),
            // The digest's length.
            (#"{"keyTag":"k","digest":"","signature":"","algorithm":"RS256"}"#, "digest"),
            (#"{"keyTag":"k","digest":"AQID","signature":"","algorithm":"ES256"}"#, "digest"),
            (#"{"keyTag":"k","digest":"\#(sha256)","signature":"","algorithm":"RS384"}"#, "digest"),
            (#"{"keyTag":"k","digest":"\#(sha256)","signature":"","algorithm":"PS512"}"#, "digest"),
            // Words.
            (#"{"keyTag":"k","data":"","signature":"","algorithm":"rs256"}"#, "algorithm"),
            (#"{"keyTag":"k","data":"","signature":"","algorithm":"HS256"}"#, "algorithm"),
            (#"{"keyTag":"k","data":"","signature":"","algorithm":"ES256","encoding":"raw"}"#, "encoding"),
            // Ranges, and two versions.
            (#"{"keyTag":"k","keyVersion":101,"data":"","signature":"","algorithm":"RS256"}"#, "keyVersion"),
            (#"{"keyTag":"k","keyVersion":2,"data":"","signature":"ncpkms:v3:AQID","algorithm":"RS256"}"#, "signature"),
            (#"{"keyTag":"k","data":"","signature":"","algorithm":"RS256","maxAgeMs":-1}"#, "maxAgeMs"),
            (#"{"keyTag":"k","data":"","signature":"","algorithm":"RS256","timeoutMs":0}"#, "timeoutMs"),
            (#"{"keyTag":"..","data":"","signature":"","algorithm":"RS256"}"#, "keyTag"),
        ] as [(String, String?)])
    func `a wrong parameter is -32602 and named`(_ params: String, _ parameter: String?) {
        let error = #expect(throws: RPCError.self) { try query(params) }
        #expect(error?.code == -32602)
        #expect(error?.details.first { $0.name == "parameter" }?.value == parameter.map { .string($0) })
    }
}
