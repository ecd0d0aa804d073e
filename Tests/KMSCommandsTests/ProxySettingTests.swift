import NCloudKMS
import Testing

@testable import KMSCommands

@Suite struct ProxySettingTests {
    static func configuration(flag: String?, _ variables: [String: String]) throws -> ProgramConfiguration {
        try ProgramConfiguration(
            flags: flag.map { [.proxy: $0] } ?? [:], environment: EnvironmentVariables(variables))
    }

    static let proxies: [(String?, [String: String], String?)] = [
        (nil, [:], nil),
        ("http://proxy:3128", [:], "http://proxy:3128"),
        ("proxy:3128/", [:], "http://proxy:3128/"),
        (nil, ["https_proxy": "socks5h://p:1", "no_proxy": "a,b"], "socks5h://p:1"),
        (nil, ["HTTPS_PROXY": "HTTP://P:1", "https_proxy": "http://q:2"], "HTTP://P:1"),
        (nil, ["HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"], nil),
        (nil, ["HTTPS_PROXY": "http://p:1", "no_proxy": "ncloud.com\r"], nil),
        (nil, ["HTTPS_PROXY": "http://p:1", "NO_PROXY": "a", "no_proxy": "ncloud.com"], "http://p:1"),
        (nil, ["NCLOUD_KMS_PROXY": "http://user:p%40ss@k:1", "HTTPS_PROXY": "http://h:1"], "http://user:p%40ss@k:1"),
        ("http://flag:1", ["NCLOUD_KMS_PROXY": "http://k:1", "no_proxy": "x"], "http://flag:1"),
        ("", ["NCLOUD_KMS_PROXY": "http://k:1"], nil),
        (nil, ["NCLOUD_KMS_PROXY": "", "https_proxy": "http://[::1]:8"], "http://[::1]:8"),
    ]

    @Test(arguments: proxies)
    func `the proxy to the service is found`(flag: String?, variables: [String: String], url: String?) throws {
        let client = try Self.configuration(flag: flag, variables).client
        #expect(try client.proxy.proxy(for: client.endpoint)?.url == url)
    }

    static let badProxies: [(String?, [String: String], String)] = [
        ("http://user:password@proxy:1", [:], "--proxy"), ("ftp://proxy", [:], "--proxy"), ("http://", [:], "--proxy"),
        (nil, ["NCLOUD_KMS_PROXY": "http://password@proxy/path"], "NCLOUD_KMS_PROXY"),
        (nil, ["NCLOUD_KMS_PROXY": "http://user:password@word@proxy:1"], "NCLOUD_KMS_PROXY"),
    ]

    @Test(arguments: badProxies)
    func `a bad proxy is refused without being repeated`(flag: String?, variables: [String: String], name: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try Self.configuration(flag: flag, variables)
        }
        #expect(error?.message.hasPrefix("\(name) ") ?? false)
        #expect(error?.message.contains("password@") == false)
        #expect(error.map { CommandFailure($0).status.rawValue } == (flag == nil ? 78 : 64))
    }

    static let malformedForeignVariables: [([String: String], String)] = [
        (["HTTPS_PROXY": "http://password@a b"], "HTTPS_PROXY"),
        (["https_proxy": "http://u:password@proxy:99999"], "https_proxy"),
        (["HTTPS_PROXY": "nonsense://", "https_proxy": "http://p:1"], "HTTPS_PROXY"),
        (["HTTPS_PROXY": "http://p:1", "NO_PROXY": "ncloud.com:x"], "NO_PROXY"),
        (["https_proxy": "http://p:1", "no_proxy": "ncloud.com:x"], "no_proxy"),
    ]

    @Test(arguments: malformedForeignVariables)
    func `a malformed value that other programs share stops the calls, not the start`(
        variables: [String: String], name: String
    ) throws {
        let client = try Self.configuration(flag: nil, variables).client
        let error = #expect(throws: InvalidValue.self) { try client.proxy.proxy(for: client.endpoint) }
        #expect(error?.name == name)
        #expect(error?.problem.contains("password@") == false)
        // Nor those that would use another proxy, or none.
        for others in [["NCLOUD_KMS_ENDPOINT": "https://127.0.0.1:1"], ["NO_PROXY": "*"]] {
            let client = try Self.configuration(flag: nil, variables.merging(others) { $1 }).client
            #expect(try client.proxy.proxy(for: client.endpoint)?.url == nil)
        }
    }
}
