import NCloudKMS
import Testing

@testable import KMSService

@Suite struct ProxySettingTests {
    static func configuration(flag: String?, _ variables: [String: String]) throws -> ServiceConfiguration {
        try ServiceConfiguration(
            flags: flag.map { [.proxy: $0] } ?? [:], environment: EnvironmentVariables(variables))
    }

    static let proxies: [(String?, [String: String], String?, String)] = [
        (nil, [:], nil, ""),
        ("http://proxy:3128", [:], "http://proxy:3128", ""),
        ("proxy:3128/", [:], "http://proxy:3128/", ""),
        (nil, ["https_proxy": "socks5h://p:1", "no_proxy": "a,b"], "socks5h://p:1", "a,b"),
        (nil, ["HTTPS_PROXY": "HTTP://P:1", "https_proxy": "http://q:2", "NO_PROXY": "*"], "HTTP://P:1", "*"),
        (
            nil, ["NCLOUD_KMS_PROXY": "http://user:p%40ss@k:1", "HTTPS_PROXY": "http://h:1"],
            "http://user:p%40ss@k:1", ""
        ),
        ("http://flag:1", ["NCLOUD_KMS_PROXY": "http://k:1", "no_proxy": "x"], "http://flag:1", "x"),
        ("", ["NCLOUD_KMS_PROXY": "http://k:1"], nil, ""),
        (nil, ["NCLOUD_KMS_PROXY": "", "https_proxy": "http://[::1]:8"], "http://[::1]:8", ""),
    ]

    @Test(arguments: proxies)
    func `the proxy is found`(flag: String?, variables: [String: String], url: String?, exceptions: String) throws {
        let proxy = try Self.configuration(flag: flag, variables).client.proxy
        #expect(proxy?.url == url)
        #expect(proxy?.exceptions ?? "" == exceptions)
    }

    static let badProxies: [(String?, [String: String], String)] = [
        ("http://user:password@proxy:1", [:], "--proxy"), ("ftp://proxy", [:], "--proxy"), ("http://", [:], "--proxy"),
        (nil, ["HTTPS_PROXY": "http://password@a b"], "HTTPS_PROXY"),
        (nil, ["https_proxy": "http://u:password@proxy:99999"], "https_proxy"),
        (nil, ["NCLOUD_KMS_PROXY": "http://password@proxy/path"], "NCLOUD_KMS_PROXY"),
    ]

    @Test(arguments: badProxies)
    func `a bad proxy is refused without being repeated`(flag: String?, variables: [String: String], name: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try Self.configuration(flag: flag, variables)
        }
        #expect(error?.message.hasPrefix("\(name) ") ?? false)
        #expect(error?.message.contains("password@") == false)
        #expect(error?.exitStatus == (flag == nil ? 78 : 64))
    }
}
