import Testing

@testable import NCloudKMS

@Suite struct KMSClientConfigurationTests {
    static let nonsense: [(String, @Sendable () throws(InvalidValue) -> KMSClientConfiguration)] = [
        ("cacheTimeToLive", { () throws(InvalidValue) in try KMSClientConfiguration(cacheTimeToLive: .seconds(-1)) }),
        (
            "cacheTimeToLive",
            { () throws(InvalidValue) in try KMSClientConfiguration(cacheTimeToLive: .seconds(86_401)) }
        ),
        ("staleIfError", { () throws(InvalidValue) in try KMSClientConfiguration(staleIfError: .seconds(-1)) }),
        ("ratePerKey", { () throws(InvalidValue) in try KMSClientConfiguration(ratePerKey: -1) }),
        ("totalRate", { () throws(InvalidValue) in try KMSClientConfiguration(totalRate: .max) }),
        ("maximumConnections", { () throws(InvalidValue) in try KMSClientConfiguration(maximumConnections: 0) }),
        ("maximumAttempts", { () throws(InvalidValue) in try KMSClientConfiguration(maximumAttempts: 0) }),
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
            maximumConnections: 1, maximumAttempts: 1, caFile: CertificateFile(path: "/dev/null"))
    }

    @Test func `a proxy prints as redacted`() throws {
        let proxy = try ProxyConfiguration(url: "http://user:password@proxy")
        var dumped = ""
        dump(try KMSClientConfiguration(proxy: ProxySettings(.success(proxy))), to: &dumped)
        #expect(!dumped.contains("password@"))
        #expect("\(proxy)" == "<redacted>")
    }
}
