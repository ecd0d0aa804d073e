import Logging
import NCloudKMS
import KMSPlatform
import KMSTestSupport
import Testing

@testable import KMSCommands

/// What people paste, and what hosts and files of variables make of it.
@Suite struct SettingTextTests {
    private func configuration(
        _ flags: [Setting.Name: String] = [:], _ variables: [String: String] = [:]
    ) throws(ConfigurationError) -> ProgramConfiguration {
        try ProgramConfiguration(flags: flags, environment: EnvironmentVariables(variables))
    }

    private static let levels: [(String, Logger.Level)] = [
        ("info", .info), ("INFO", .info), ("Debug", .debug), ("warn", .warning), ("WARN", .warning),
        ("Warning\r", .warning), (" error ", .error),
    ]

    @Test(arguments: levels)
    func `a log level is a word in any case, and warn is one`(text: String, level: Logger.Level) throws {
        #expect(try configuration([.logLevel: text]).logLevel == level)
        #expect(try configuration([:], ["NCLOUD_KMS_LOG_LEVEL": text]).logLevel == level)
    }

    @Test func `words count in any case, and white space around a value for nothing`() throws {
        let variables = [
            "NCLOUD_KMS_ZONE": " Public-KR\r\n", "NCLOUD_KMS_FRAMING": "LINES", "NCLOUD_KMS_LOG_FORMAT": "Json ",
            "NCLOUD_KMS_CACHE_TTL": "60\r", "NCLOUD_KMS_MAX_BATCH": "\t7", "NCLOUD_KMS_RATE_TOTAL": "  ",
        ]
        let fromVariables = try configuration([:], variables)
        let fromFlags = try configuration([
            .zone: " Public-KR\r\n", .framing: "LINES", .logFormat: "Json ", .cacheTTL: "60\r", .maxBatch: "\t7",
        ])
        for configuration in [fromVariables, fromFlags] {
            #expect(configuration.zone == .korea)
            #expect(configuration.framing == .lines)
            #expect(configuration.logFormat == .json)
            #expect(configuration.client.cacheTimeToLive == .seconds(60))
            #expect(configuration.maximumBatchCount == 7)
        }
        let endpoint = try configuration([:], ["NCLOUD_KMS_ENDPOINT": "https://kms.example.com\r"]).client.endpoint
        #expect("\(endpoint)" == "https://kms.example.com")
    }

    @Test(arguments: [
        ("NCLOUD_KMS_ZONE", "\"public\""), ("NCLOUD_KMS_ENDPOINT", "'https://kms.example.com'"),
        ("NCLOUD_KMS_CACHE_TTL", "\"60\""),
    ])
    func `quotation marks around a value are named as the mistake`(variable: String, text: String) {
        let error = #expect(throws: ConfigurationError.self) { try configuration([:], [variable: text]) }
        #expect(error?.message.hasPrefix("\(variable) ") == true)
        #expect(error?.message.contains("quotation marks") == true)
    }

    @Test func `in every path a leading tilde and slash are the home directory`() throws {
        let home = try TemporaryDirectory()
        try home.write("[p]\n", to: "file")
        let file = home.path("file")
        let environment = ["HOME": home.path]
        let byFlag = try configuration(
            [.caFile: "~/file", .tokenFile: "~/file", .configFile: "~/file", .profile: "p"], environment)
        #expect(byFlag.client.caFile == CertificateFile(path: file, name: "--ca-file"))
        let byVariable = try configuration([:], environment.merging(["NCLOUD_KMS_CA_FILE": " ~/file\r"]) { $1 })
        #expect(byVariable.client.caFile == CertificateFile(path: file, name: "NCLOUD_KMS_CA_FILE"))
        for flag in [Setting.Name.caFile, .tokenFile, .configFile] {
            let error = #expect(throws: ConfigurationError.self) { try configuration([flag: "~/none"], environment) }
            #expect(error?.message.contains("\(home.path)/none: ") == true)
        }
    }
}
