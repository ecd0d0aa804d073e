import NCloudKMS
import Testing

@testable import KMSCommands

/// The program and the library read the environment alike.
@Suite struct ClientSettingTests {
    static let environments: [[String: String]] = [
        [:],
        ["NCLOUD_KMS_ENDPOINT": "https://kms.example.com", "NCLOUD_KMS_CACHE_TTL": "0"],
        ["NCLOUD_KMS_ZONE": "PUBLIC-JP", "https_proxy": "http://p:1", "NO_PROXY": "x"],
        ["NCLOUD_KMS_MAX_ATTEMPTS": "7", "NCLOUD_KMS_RATE_PER_KEY": "0", "NCLOUD_KMS_CA_FILE": "~/later.pem"],
        ["NCLOUD_KMS_CACHE_TTL": "\"60\""], ["NCLOUD_KMS_ENDPOINT": "ftp://x"], ["NCLOUD_KMS_CA_FILE": "/tmp"],
        ["NCLOUD_KMS_PROXY": "http://"], ["NCLOUD_KMS_ZONE": "moon", "NCLOUD_KMS_RATE_TOTAL": "x"],
    ]

    /// What a configuration comes to, or the error that it ends in.
    private func outcome(_ read: () throws -> KMSClientConfiguration) -> String {
        do {
            let read = try read()
            let proxy = try read.proxy.proxy(for: read.endpoint)?.url
            return "\(read.endpoint) \(read.cacheTimeToLive) \(read.staleIfError) \(read.ratePerKey) \(read.totalRate) "
                + "\(read.maximumConnections) \(read.maximumAttempts) \(String(describing: read.caFile)) "
                + String(describing: proxy)
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: environments)
    func `the library reads the environment as the program does`(variables: [String: String]) {
        let environment = EnvironmentVariables(variables)
        let library = outcome { try KMSClientConfiguration(environment: environment) }
        let program = outcome { try ProgramConfiguration(flags: [:], environment: environment).client }
        #expect(library == program)
    }

    @Test func `each setting of the client is a flag of its own`() {
        #expect(Set(ClientSetting.allCases.map { Setting.Name($0) }).count == ClientSetting.allCases.count)
    }
}
