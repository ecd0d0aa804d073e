import Configuration
import NCloudKMS
import NCloudKMSTesting
import Testing

/// Settings from a reader of swift-configuration.
@Suite struct ConfigurationTests {
    @Test func `a client from a reader fetches a key`() async throws {
        let kms = try EmulatedKMS()
        let variables = kms.environment
        let config = try reader([
            "endpoint": ConfigValue(stringLiteral: "\(kms.endpoint)"),
            "caFile": ConfigValue(stringLiteral: #require(variables["NCLOUD_KMS_CA_FILE"])),
            "accessKeyID": ConfigValue(stringLiteral: #require(variables["NCLOUD_ACCESS_KEY_ID"])),
            "secretAccessKey": ConfigValue(stringLiteral: #require(variables["NCLOUD_SECRET_ACCESS_KEY"])),
        ])
        let client = try KMSClient(KMSClientConfiguration(config: config, environment: EnvironmentVariables([:])))
        #expect(try await client.publicKey(for: KeyTag("demo-ec")).source == .kms)
        #expect(await client.status().credentials?.source == "the application")
    }

    @Test func `the reader has precedence over the environment, and that over the defaults`() throws {
        let configuration = try KMSClientConfiguration(
            config: reader(["cacheTTL": 60, "maxAttempts": "7", "zone": "public-kr"]),
            environment: EnvironmentVariables(["NCLOUD_KMS_CACHE_TTL": "1", "NCLOUD_KMS_MAX_CONNECTIONS": "9"]),
            userAgent: "test/1")
        #expect(configuration.cacheTimeToLive == .seconds(60))
        #expect(configuration.maximumAttempts == 7)
        #expect(configuration.maximumConnections == 9)
        #expect(configuration.ratePerKey == KMSClientConfiguration.defaultRatePerKey)
        #expect(configuration.endpoint.description == Zone.korea.endpoint.description)
        #expect(configuration.userAgent == "test/1")
    }

    @Test func `every number has its key`() throws {
        let configuration = try KMSClientConfiguration(
            config: reader([
                "cacheTTL": 1, "staleIfError": 2, "ratePerKey": 3, "rateTotal": 4, "maxConnections": 5,
                "maxAttempts": 6,
            ]), environment: EnvironmentVariables([:]))
        #expect(configuration.cacheTimeToLive == .seconds(1))
        #expect(configuration.staleIfError == .seconds(2))
        #expect(configuration.ratePerKey == 3)
        #expect(configuration.totalRate == 4)
        #expect(configuration.maximumConnections == 5)
        #expect(configuration.maximumAttempts == 6)
    }

    @Test func `within the scope ncloud.kms, variables have the names that the program reads`() throws {
        let provider = EnvironmentVariablesProvider(environmentVariables: [
            "NCLOUD_KMS_ENDPOINT": "http://127.0.0.1:8080", "NCLOUD_KMS_CACHE_TTL": "60",
            "NCLOUD_KMS_STALE_IF_ERROR": "61", "NCLOUD_KMS_RATE_PER_KEY": "62", "NCLOUD_KMS_RATE_TOTAL": "63",
            "NCLOUD_KMS_MAX_CONNECTIONS": "64", "NCLOUD_KMS_MAX_ATTEMPTS": "5", "NCLOUD_KMS_TOKEN": "a-token",
        ])
        let configuration = try KMSClientConfiguration(
            config: ConfigReader(provider: provider).scoped(to: "ncloud.kms"), environment: EnvironmentVariables([:]))
        #expect("\(configuration.endpoint)" == "http://127.0.0.1:8080")
        #expect(configuration.cacheTimeToLive == .seconds(60))
        #expect(configuration.staleIfError == .seconds(61))
        #expect(configuration.ratePerKey == 62)
        #expect(configuration.totalRate == 63)
        #expect(configuration.maximumConnections == 64)
        #expect(configuration.maximumAttempts == 5)
        guard case .credentials(let credentials) = configuration.authentication else {
            Issue.record("no credentials: \(configuration.authentication)")
            return
        }
        #expect("\(credentials)" == "token from the application")
    }

    @Test(
        arguments: [
            (["cacheTTL": "soon"], "cacheTTL must be an integer from 0 to 86400"),
            (["cacheTTL": 0.5], "cacheTTL must be an integer from 0 to 86400"),
            (["maxAttempts": true], "maxAttempts must be an integer from 1 to 20"),
            (["ratePerKey": -1], "ratePerKey must be an integer from 0 to 1000000"),
            (["endpoint": 8080], "endpoint must be scheme://host or scheme://host:port"),
            (["zone": ConfigValue(.stringArray(["public-kr"]), isSecret: false)], "zone must be one of "),
            (["endpoint": ""], "endpoint needs a value"),
            (["caFile": "/nowhere.pem"], "caFile "), (["tokenFile": "/nowhere"], "tokenFile "),
            (["proxy": "http://user:pass@proxy:1"], "proxy must not contain a password"),
            (["accessKeyID": "AKIA"], "accessKeyID is set, but secretAccessKey is not"),
            (["secretAccessKey": "s3cr3t"], "secretAccessKey is set, but accessKeyID is not"),
            (["accessKeyID": "AKIA", "secretAccessKey": "s3 cr3t"], "secretAccessKey must not be empty"),
            (["token": ""], "token must not be empty"),
        ] as [([String: ConfigValue], String)])
    func `an unusable value is an error that names its key`(values: [String: ConfigValue], sentence: String) throws {
        let error = try #require(throws: InvalidValue.self) {
            try KMSClientConfiguration(config: reader(values), environment: EnvironmentVariables([:]))
        }
        #expect("\(error)".hasPrefix(sentence), "\(error)")
        for secret in ["s3cr3t", "s3 cr3t", "pass@"] { #expect(!"\(error)".contains(secret)) }
    }

    @Test func `without credentials in the reader they are looked up`() throws {
        let configuration = try KMSClientConfiguration(config: reader([:]), environment: EnvironmentVariables([:]))
        guard case .lookup = configuration.authentication else {
            Issue.record("\(configuration.authentication)")
            return
        }
    }

    private func reader(_ values: [String: ConfigValue]) -> ConfigReader {
        ConfigReader(
            provider: InMemoryProvider(
                values: Dictionary(uniqueKeysWithValues: values.map { (AbsoluteConfigKey([$0.key]), $0.value) })))
    }
}
