import Testing

@testable import NCloudKMS

@Suite struct KMSClientConfigurationTests {
    @Test func `the defaults are those of the contract`() throws {
        let configuration = try KMSClientConfiguration()
        #expect(configuration.endpoint.description == "https://ocapi.ncloud.com")
        #expect(configuration.cacheTimeToLive == .seconds(300))
        #expect(configuration.staleIfError == .zero)
        #expect(configuration.ratePerKey == 300)
        #expect(configuration.totalRate == 0)
        #expect(configuration.maximumConnections == 32)
        #expect(configuration.maximumAttempts == 3)
        #expect(configuration.caFile == nil)
        #expect(configuration.proxy == nil)
        #expect(configuration.correctsClock)
    }

    static let nonsense: [(String, @Sendable () throws(InvalidValue) -> KMSClientConfiguration)] = [
        ("cache-ttl", { () throws(InvalidValue) in try KMSClientConfiguration(cacheTimeToLive: .seconds(-1)) }),
        ("cache-ttl", { () throws(InvalidValue) in try KMSClientConfiguration(cacheTimeToLive: .seconds(86_401)) }),
        ("stale-if-error", { () throws(InvalidValue) in try KMSClientConfiguration(staleIfError: .seconds(-1)) }),
        ("rate-per-key", { () throws(InvalidValue) in try KMSClientConfiguration(ratePerKey: -1) }),
        ("rate-total", { () throws(InvalidValue) in try KMSClientConfiguration(totalRate: .max) }),
        ("max-connections", { () throws(InvalidValue) in try KMSClientConfiguration(maximumConnections: 0) }),
        ("max-attempts", { () throws(InvalidValue) in try KMSClientConfiguration(maximumAttempts: 0) }),
        ("ca-file", { () throws(InvalidValue) in try KMSClientConfiguration(caFile: "/none/ca.pem") }),
    ]

    @Test(arguments: nonsense)
    func `nonsense is refused by name`(
        name: String, build: @Sendable () throws(InvalidValue) -> KMSClientConfiguration
    ) {
        let error = #expect(throws: InvalidValue.self) { try build() }
        #expect(error?.name == name)
    }

    @Test func `the ends of the ranges are taken`() throws {
        _ = try KMSClientConfiguration(
            cacheTimeToLive: .zero, staleIfError: .seconds(604_800), ratePerKey: 0, totalRate: 1_000_000,
            maximumConnections: 1, maximumAttempts: 1, caFile: "/dev/null")
    }

    static let proxies: [(String?, [String: String], String?, String)] = [
        (nil, [:], nil, ""),
        ("http://proxy:3128", [:], "http://proxy:3128", ""),
        ("proxy:3128/", [:], "http://proxy:3128", ""),
        (nil, ["https_proxy": "socks5h://p:1", "no_proxy": "a,b"], "socks5h://p:1", "a,b"),
        (nil, ["HTTPS_PROXY": "HTTP://P:1", "https_proxy": "http://q:2", "NO_PROXY": "*"], "http://P:1", "*"),
        (nil, ["NCLOUD_KMS_PROXY": "http://user:p@ss@k:1", "HTTPS_PROXY": "http://h:1"], "http://user:p@ss@k:1", ""),
        ("http://flag:1", ["NCLOUD_KMS_PROXY": "http://k:1", "no_proxy": "x"], "http://flag:1", "x"),
        ("", ["NCLOUD_KMS_PROXY": "http://k:1"], nil, ""),
        (nil, ["NCLOUD_KMS_PROXY": "", "https_proxy": "http://[::1]:8"], "http://[::1]:8", ""),
    ]

    @Test(arguments: proxies)
    func `the proxy is found`(flag: String?, variables: [String: String], url: String?, exceptions: String) throws {
        let proxy = try ProxySetting.find(flag: flag, environment: EnvironmentVariables(variables))
        #expect(proxy?.url == url)
        #expect(proxy?.exceptions ?? "" == exceptions)
    }

    static let badProxies: [(String?, [String: String], String)] = [
        ("http://user:password@proxy:1", [:], "proxy"), ("ftp://proxy", [:], "proxy"), ("http://", [:], "proxy"),
        (nil, ["HTTPS_PROXY": "http://password@a b"], "HTTPS_PROXY"),
        (nil, ["https_proxy": "http://u:password@proxy:99999"], "https_proxy"),
        (nil, ["NCLOUD_KMS_PROXY": "http://password@proxy/path"], "NCLOUD_KMS_PROXY"),
    ]

    @Test(arguments: badProxies)
    func `a bad proxy is refused without being repeated`(flag: String?, variables: [String: String], name: String) {
        let error = #expect(throws: InvalidValue.self) {
            try ProxySetting.find(flag: flag, environment: EnvironmentVariables(variables))
        }
        #expect(error?.name == name)
        #expect(error?.problem.contains("password@") == false)
    }

    @Test func `a proxy prints as redacted`() throws {
        let proxy = try ProxySetting(url: "http://user:password@proxy")
        var dumped = ""
        dump(try KMSClientConfiguration(proxy: proxy), to: &dumped)
        #expect(!dumped.contains("password@"))
        #expect("\(proxy)" == "<redacted>")
    }
}
