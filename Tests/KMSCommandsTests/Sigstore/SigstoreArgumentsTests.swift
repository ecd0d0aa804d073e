import KMSPlatform
import KMSPublicKeys
import NCloudKMS
import Testing

@testable import KMSCommands

@Suite struct SigstoreArgumentsTests {
    private func arguments(_ texts: String...) throws(SigstoreError) -> SigstoreArguments {
        try SigstoreArguments(texts.map { Array($0.utf8) })
    }

    private func message(_ body: () throws(SigstoreError) -> Void) -> String? {
        do throws(SigstoreError) {
            try body()
            return nil
        } catch {
            return error.message
        }
    }

    @Test(arguments: [
        ([], "expected protocol version: v1, got no arguments"), ([""], "expected protocol version: v1, got "),
        (["v2", "{}"], "expected protocol version: v1, got v2"),
        (["V1", "{}"], "expected protocol version: v1, got V1"),
        (["--version"], "expected protocol version: v1, got --version"),
        (["v1"], "the second argument is missing: a JSON object with initOptions and methodName"),
        (["v1", #"{"initOptions":{"protocolVersion":"v2"}}"#], "expected protocol version: v1, got v2"),
        (["v1", "null"], "the second argument must be an object"),
        (["v1", "[]"], "the second argument must be an object"),
        (["v1", "{}"], "methodName is missing"), (["v1", #"{"methodName":null}"#], "methodName is missing"),
        (["v1", #"{"methodName":7}"#], "methodName must be a string"),
        (["v1", #"{"methodName":""}"#], #"unsupported method: """#),
        (["v1", #"{"methodName":"a\nb"}"#], #"unsupported method: "a\u{a}b""#),
        (["v1", #"{"methodName":"publicKey","initOptions":[]}"#], "initOptions must be an object"),
    ])
    func `what is not a call is one line`(_ texts: [String], _ expected: String) {
        let said = message { () throws(SigstoreError) in
            _ = try SigstoreArguments(texts.map { Array($0.utf8) })
        }
        #expect(said == expected)
    }

    @Test(arguments: ["", "{", "{}{}", #"{"methodName":"publicKey",}"#, "v1", "\u{FF}"])
    func `what is not JSON is told with its place`(_ text: String) {
        let said = message { () throws(SigstoreError) in _ = try arguments("v1", text) }
        #expect(said?.hasPrefix("the second argument is not JSON: ") == true, "\(said ?? "")")
    }

    @Test func `bytes that are no UTF-8 are no JSON`() {
        let said = message { () throws(SigstoreError) in
            _ = try SigstoreArguments([
                Array("v1".utf8), Array(#"{"methodName":"publicKey"#.utf8) + [0xFF, 0x22, 0x7D],
            ])
        }
        #expect(said?.hasPrefix("the second argument is not JSON: ") == true)
    }

    // MARK: The key

    private func key(_ initOptions: String, _ methodOptions: String = "{}") throws(SigstoreError) -> SigstoreKey {
        try SigstoreKey(
            arguments(
                "v1",
                """
                {"surplus":1,"initOptions":\(initOptions),"methodName":"publicKey",
                 "publicKey":{"publicKeyOptions":{"rpcOptions":\(methodOptions),"more":[]}}}
                """, "ignored"))
    }

    @Test(
        arguments: [
            (#"{"keyResourceID":"k"}"#, "{}", nil), (#"{"keyResourceID":"k/versions/2"}"#, "null", 2),
            (#"{"keyResourceID":"k","rpcOptions":null,"hashFunc":null,"protocolVersion":null}"#, "{}", nil),
            (#"{"keyResourceID":"k","rpcOptions":{"keyVersion":"3"}}"#, "{}", 3),
            (#"{"keyResourceID":"k","rpcOptions":{"keyVersion":"3"}}"#, #"{"keyVersion":""}"#, 3),
            (#"{"keyResourceID":"k","rpcOptions":{"keyVersion":"3"}}"#, #"{"keyVersion":null}"#, 3),
            // The call's own version beats the other.
            (#"{"keyResourceID":"k","rpcOptions":{"keyVersion":"3"}}"#, #"{"keyVersion":"4"}"#, 4),
            (#"{"keyResourceID":"k/versions/4","rpcOptions":{"keyVersion":"3"}}"#, #"{"keyVersion":"4"}"#, 4),
            (#"{"keyResourceID":"k/versions/100"}"#, #"{"keyVersion":"100"}"#, 100),
            (#"{"keyResourceID":"x","keyResourceID":"k"}"#, "{}", nil),
        ] as [(String, String, Int?)])
    func `the key and its version are read`(_ initOptions: String, _ options: String, _ version: Int?) throws {
        let key = try key(initOptions, options)
        #expect(key.keyTag.text == "k")
        #expect(key.version?.number == version)
    }

    @Test(arguments: [
        ("{}", "{}", "keyResourceID is missing"), (#"{"keyResourceID":""}"#, "{}", "keyResourceID is missing"),
        (#"{"keyResourceID":5}"#, "{}", "keyResourceID must be a string"),
        (#"{"keyResourceID":"/k"}"#, "{}", "keyResourceID must be KEYTAG or KEYTAG/versions/N"),
        (#"{"keyResourceID":"k/versions"}"#, "{}", "keyResourceID must be KEYTAG or KEYTAG/versions/N"),
        (#"{"keyResourceID":"k/version/1"}"#, "{}", "keyResourceID must be KEYTAG or KEYTAG/versions/N"),
        (#"{"keyResourceID":"k/versions/1/"}"#, "{}", "keyResourceID must be KEYTAG or KEYTAG/versions/N"),
        (#"{"keyResourceID":"k@1"}"#, "{}", "the key tag in keyResourceID may contain only"),
        (#"{"keyResourceID":".."}"#, "{}", "the key tag in keyResourceID must not be"),
        (
            #"{"keyResourceID":"k/versions/"}"#, "{}",
            "the version in keyResourceID must be a whole number from 1 to 100"
        ),
        (#"{"keyResourceID":"k/versions/0"}"#, "{}", "the version in keyResourceID must be"),
        (#"{"keyResourceID":"k/versions/101"}"#, "{}", "the version in keyResourceID must be"),
        (#"{"keyResourceID":"k/versions/+1"}"#, "{}", "the version in keyResourceID must be"),
        (#"{"keyResourceID":"k"}"#, #"{"keyVersion":"v1"}"#, "the version in keyVersion must be"),
        (#"{"keyResourceID":"k"}"#, #"{"keyVersion":" 1"}"#, "the version in keyVersion must be"),
        (#"{"keyResourceID":"k"}"#, #"{"keyVersion":1}"#, "keyVersion must be a string"),
        (
            #"{"keyResourceID":"k/versions/1"}"#, #"{"keyVersion":"2"}"#,
            "keyResourceID names version 1 of the key, but keyVersion is 2"
        ),
        (
            #"{"keyResourceID":"k/versions/1","rpcOptions":{"keyVersion":"2"}}"#, "{}",
            "keyResourceID names version 1 of the key, but keyVersion is 2"
        ),
        (#"{"keyResourceID":"k"}"#, "7", "rpcOptions must be an object"),
    ])
    func `a key that can't be meant is one line`(_ initOptions: String, _ options: String, _ expected: String) {
        let said = message { () throws(SigstoreError) in _ = try key(initOptions, options) }
        #expect(said?.hasPrefix(expected) == true, "\(said ?? "")")
    }

    // MARK: What is verified

    private func signature(
        _ messageOptions: String, signature: String = #""AQID""#, hashFunc: String = "5"
    ) throws(SigstoreError) -> SigstoreSignature {
        try SigstoreSignature(
            arguments(
                "v1",
                """
                {"initOptions":{"keyResourceID":"k","hashFunc":\(hashFunc)},"methodName":"verifySignature",
                 "verifySignature":{"signature":\(signature),"verifyOptions":{"messageOptions":\(messageOptions)}}}
                """))
    }

    private static func digest(_ count: Int) -> String {
        #""\#(Base64.encode([UInt8](repeating: 7, count: count)))""#
    }

    @Test(
        arguments: [
            ("{}", "5", .sha256, false), ("null", "6", .sha384, false), ("{}", "7", .sha512, false),
            ("{}", "null", .sha256, false), ("{}", "0", .sha256, false), (#"{"digest":null}"#, "7", .sha512, false),
            (#"{"digest":""}"#, "6", .sha384, false), (#"{"hashFunc":7}"#, "5", .sha512, false),
            (#"{"hashFunc":0}"#, "7", .sha256, false), (#"{"hashFunc":5,"digest":null}"#, "17", .sha256, false),
            (#"{"hashFunc":0,"digest":\#(digest(48))}"#, "5", .sha384, true),
            (#"{"digest":\#(digest(64))}"#, "0", .sha512, true), (#"{"digest":\#(digest(48))}"#, "null", .sha384, true),
            (#"{"digest":\#(digest(32))}"#, "0", .sha256, true), (#"{"digest":\#(digest(32))}"#, "5", .sha256, true),
            (#"{"digest":\#(digest(48)),"hashFunc":6.0}"#, "5", .sha384, true),
        ] as [(String, String, HashFunction, Bool)])
    func `the hash is that of the message, or the caller's, or as long as the digest`(
        _ options: String, _ hashFunc: String, _ hash: HashFunction, _ hasDigest: Bool
    ) throws {
        let signature = try signature(options, hashFunc: hashFunc)
        #expect(signature.hash == hash)
        #expect((signature.digest != nil) == hasDigest)
        #expect(signature.signature == ServiceSignature(bytes: [1, 2, 3], version: nil))
    }

    @Test(arguments: [
        ("{}", "4", "hashFunc 4 is not supported"), ("{}", "17", "hashFunc 17 is not supported"),
        ("{}", "-1", "hashFunc -1 is not supported"), ("{}", "5.5", "hashFunc must be a whole number"),
        ("{}", #""5""#, "hashFunc must be a whole number"), (#"{"hashFunc":3}"#, "5", "hashFunc 3 is not supported"),
        (#"{"digest":\#(digest(31))}"#, "5", "digest must have the 32 bytes of its hash, not 31"),
        (#"{"digest":\#(digest(48))}"#, "5", "digest must have the 32 bytes of its hash, not 48"),
        (#"{"digest":\#(digest(32))}"#, "7", "digest must have the 64 bytes of its hash, not 32"),
        (#"{"digest":\#(digest(20))}"#, "0", "digest must have the 32 bytes of its hash, not 20"),
        (#"{"digest":"AQI"}"#, "5", "digest must be Base64"), (#"{"digest":"_w=="}"#, "5", "digest must be Base64"),
        (#"{"digest":[1]}"#, "5", "digest must be a string"),
    ])
    func `a hash or a digest that can't be used is one line`(_ options: String, _ hashFunc: String, _ start: String) {
        let said = message { () throws(SigstoreError) in _ = try signature(options, hashFunc: hashFunc) }
        #expect(said?.hasPrefix(start) == true, "\(said ?? "")")
    }

    @Test(arguments: [
        (#""ncpkms:v3:AQID""#, 3), (#""\#(Base64.encode(Array("ncpkms:v3:AQID".utf8)))""#, 3),
        (#""\#(Base64.encode(Array(" ncpkms:v3:AQID\r\n".utf8)))""#, 3),
    ])
    func `the service's form is taken as it is, and in Base64`(_ signature: String, _ version: Int) throws {
        let read = try self.signature("{}", signature: signature).signature
        #expect(read == ServiceSignature(bytes: [1, 2, 3], version: try KeyVersion(version)))
    }

    @Test(arguments: [
        ("null", "the signature is empty, and so not valid"), (#""""#, "the signature is empty, and so not valid"),
        (#""AQI""#, "signature must be standard Base64"), ("7", "signature must be a string"),
        (#""ncpkms:v0:AQID""#, "signature must have the form"),
        (#""ncpkms:v1:AQI""#, "signature must be standard Base64"),
        (#""\#(Base64.encode(Array("ncpkms:v101:AQID".utf8)))""#, "signature must have the form"),
    ])
    func `a signature that can't be read is one line`(_ signature: String, _ start: String) {
        let said = message { () throws(SigstoreError) in _ = try self.signature("{}", signature: signature) }
        #expect(said?.hasPrefix(start) == true, "\(said ?? "")")
    }
}
