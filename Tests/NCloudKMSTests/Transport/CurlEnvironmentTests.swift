import CKMSLibcurl
import Testing

@testable import NCloudKMS

@Suite struct CurlEnvironmentTests {
    private static let good = CurlEnvironment.Facts(
        version: "7.88.1", number: 0x07_58_01, tls: "OpenSSL/3.0.22",
        features: CURL_VERSION_THREADSAFE | CURL_VERSION_ASYNCHDNS)

    @Test func `this machine's libcurl is fit, and says its version and OpenSSL's`() throws {
        let versions = try CurlEnvironment.ready().versions
        #expect(versions.wholeMatch(of: /libcurl \d+\.\d+\.\d+\S*, OpenSSL \d+\.\d+\.\d+\S*/) != nil, "\(versions)")
    }

    @Test func `an OpenSSL flavour that is thread-safe and resolves asynchronously is fit`() throws {
        try CurlEnvironment.check(Self.good)
    }

    @Test func `a libcurl that is too old is not fit`() {
        var facts = Self.good
        facts.number = CurlEnvironment.oldestNumber - 1
        #expect(refusal(of: facts)?.contains("too old") == true)
    }

    @Test(arguments: ["", "GnuTLS/3.7.9", "(OpenSSL/3.0.22) GnuTLS/3.7.9", "LibreSSL/3.8", "NSS/3.87"])
    func `another flavour of TLS is not fit`(tls: String) {
        var facts = Self.good
        facts.tls = tls
        #expect(refusal(of: facts)?.contains("OpenSSL build") == true)
    }

    @Test(arguments: [(CURL_VERSION_ASYNCHDNS, "not thread-safe"), (CURL_VERSION_THREADSAFE, "resolver")])
    func `a libcurl that lacks a feature is not fit`(features: Int32, reason: String) {
        var facts = Self.good
        facts.features = features
        #expect(refusal(of: facts)?.contains(reason) == true)
    }

    private func refusal(of facts: CurlEnvironment.Facts) -> String? {
        do {
            try CurlEnvironment.check(facts)
            return nil
        } catch {
            return error.description
        }
    }
}
