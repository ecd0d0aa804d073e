import KMSTestSupport
import NCloudKMS
import Testing

/// `KMSClientConfiguration` from an environment and from defaults, without `@testable`. `ClientSettingTests` compares it
/// with the program.
@Suite struct ConfigurationEnvironmentTests {
    private func configuration(_ variables: [String: String]) throws(InvalidValue) -> KMSClientConfiguration {
        try KMSClientConfiguration(environment: EnvironmentVariables(variables))
    }

    @Test func `without variables or arguments every setting has its default`() throws {
        for configuration in [try configuration([:]), try KMSClientConfiguration()] {
            #expect("\(configuration.endpoint)" == "https://ocapi.ncloud.com")
            #expect(configuration.endpoint == Zone.global.endpoint)
            #expect(configuration.cacheTimeToLive == .seconds(300))
            #expect(configuration.staleIfError == .zero)
            #expect(configuration.ratePerKey == 300)
            #expect(configuration.totalRate == 0)
            #expect(configuration.maximumConnections == 32)
            #expect(configuration.maximumAttempts == 3)
            #expect(configuration.caFile == nil)
            #expect(try configuration.proxy.proxy(for: configuration.endpoint) == nil)
            #expect(configuration.correctsClock)
            #expect(configuration.userAgent == "ncloud-kms-swift")
        }
    }

    @Test func `variables are read as the program reads them`() throws {
        let read = try configuration([
            "NCLOUD_KMS_ENDPOINT": "https://127.0.0.1:8443", "NCLOUD_KMS_ZONE": "gov",
            "NCLOUD_KMS_CA_FILE": "/later.pem",
            "NCLOUD_KMS_CACHE_TTL": "60", "NCLOUD_KMS_STALE_IF_ERROR": " 90\r\n", "NCLOUD_KMS_RATE_PER_KEY": "5",
            "NCLOUD_KMS_RATE_TOTAL": "7", "NCLOUD_KMS_MAX_CONNECTIONS": "2", "NCLOUD_KMS_MAX_ATTEMPTS": "1",
        ])
        #expect("\(read.endpoint)" == "https://127.0.0.1:8443")
        #expect(read.cacheTimeToLive == .seconds(60))
        #expect(read.staleIfError == .seconds(90))
        #expect(read.ratePerKey == 5)
        #expect(read.totalRate == 7)
        #expect(read.maximumConnections == 2)
        #expect(read.maximumAttempts == 1)
        #expect(read.caFile?.path == "/later.pem")
        #expect(try configuration(["NCLOUD_KMS_ZONE": "Public-KR"]).endpoint == Zone.korea.endpoint)
    }

    static let mistakes: [(String, String)] = [
        ("NCLOUD_KMS_ENDPOINT", "http://example.com"), ("NCLOUD_KMS_ZONE", "fin"), ("NCLOUD_KMS_CA_FILE", "/tmp"),
        ("NCLOUD_KMS_CACHE_TTL", "86401"), ("NCLOUD_KMS_STALE_IF_ERROR", "soon"), ("NCLOUD_KMS_RATE_PER_KEY", "-1"),
        ("NCLOUD_KMS_RATE_TOTAL", "1.5"), ("NCLOUD_KMS_MAX_CONNECTIONS", "0"), ("NCLOUD_KMS_MAX_ATTEMPTS", "21"),
        ("NCLOUD_KMS_PROXY", "ftp://p"),
    ]

    @Test(arguments: mistakes)
    func `a mistake is named after its variable`(variable: String, text: String) {
        let error = #expect(throws: InvalidValue.self) { try configuration([variable: text]) }
        #expect(error?.name == variable)
        #expect(error?.description.contains("--") == false)
    }
}
