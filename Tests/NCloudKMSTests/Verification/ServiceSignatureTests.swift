import Testing

@testable import NCloudKMS

@Suite struct ServiceSignatureTests {
    @Test(
        arguments: [
            ("", [], nil), ("AQID", [1, 2, 3], nil), ("AQ==", [1], nil), ("ncpkms:v1:AQID", [1, 2, 3], 1),
            ("ncpkms:v100:AQID", [1, 2, 3], 100), ("ncpkms:v7:", [], 7),
        ] as [(String, [UInt8], Int?)])
    func `Base64 is read, and the service's form with its version`(_ text: String, _ bytes: [UInt8], _ version: Int?)
        throws
    {
        let signature = try ServiceSignature(text)
        #expect(signature.bytes == bytes)
        #expect(signature.version?.number == version)
    }

    @Test(arguments: [
        "AQI", "AQ=", "AQ", "AR==", " AQID", "AQID\n", "AQ ID", "_-_-", "a", "=", "====", "é===",
        "ncpkms:", "ncpkms:AQID", "ncpkms:1:AQID", "ncpkms:v:AQID", "ncpkms:v0:AQID", "ncpkms:v101:AQID",
        "ncpkms:v01:AQID", "ncpkms:v+1:AQID", "ncpkms:v-1:AQID", "ncpkms:v1.0:AQID", "ncpkms:v1", "ncpkms:v1:AQ",
        "ncpkms:v1:AQID:", "ncpkms:v1::AQID", "ncpkms:v1 :AQID", "NCPKMS:v1:AQID", "ncpkms:V1:AQID", "vault:v1:AQID",
        "ncpkms:v99999999999999999999:AQID", "ncpkms:v١:AQID",
    ])
    func `anything else is refused, and never repeated in the error`(_ text: String) {
        let error = #expect(throws: InvalidValue.self) { try ServiceSignature(text) }
        #expect(error?.name == "signature")
        if text.count > 7 { #expect(error?.problem.contains(text) == false) }
    }
}
