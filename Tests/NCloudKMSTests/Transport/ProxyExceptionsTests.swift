import Testing

@testable import NCloudKMS

@Suite struct ProxyExceptionsTests {
    private static let listed: [(list: String, host: String)] = [
        ("*", "kms.example.com"), ("other.example, *", "kms.example.com"), ("*", "10.0.0.1"),
        ("kms.example.com", "kms.example.com"), ("KMS.Example.COM", "kms.example.com"),
        ("example.com", "kms.example.com"), ("example.com", "a.b.example.com"), ("example.com", "example.com"),
        (".example.com", "kms.example.com"), (".example.com", "example.com"), ("*.example.com", "kms.example.com"),
        ("*.example.com", "a.b.example.com"), ("example.com.", "kms.example.com"), ("example.com", "kms.example.com."),
        ("kms.example.com:443", "kms.example.com"), ("example.com:443", "kms.example.com"),
        ("*.example.com:443", "kms.example.com"), ("*:443", "kms.example.com"),
        ("a.example,b.example,example.com", "kms.example.com"), (" a.example ,\texample.com\r", "kms.example.com"),
        ("a.example example.com", "kms.example.com"), ("localhost,,example.com,", "kms.example.com"),
        ("example.com\r\n", "kms.example.com"),
        ("10.0.0.1", "10.0.0.1"), ("10.0.0.1:443", "10.0.0.1"), ("10.0.0.0/8", "10.255.1.2"),
        ("10.0.0.0/8:443", "10.255.1.2"), ("10.1.2.3/8", "10.200.0.1"), ("0.0.0.0/0", "192.0.2.1"),
        ("192.0.2.64/26", "192.0.2.127"), ("192.0.2.7/32", "192.0.2.7"),
        ("fd00::9", "fd00::9"), ("[fd00::9]", "fd00::9"), ("[fd00::9]:443", "fd00::9"), ("FD00:0::9", "fd00::9"),
        ("fd00::/8", "fdff::1"), ("[fd00::]/8", "fdff::1"), ("2001:db8::/33", "2001:db8:7fff::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ]

    @Test(arguments: listed)
    func `a host that the list has is reached directly`(list: String, host: String) {
        #expect(ProxyExceptions(list).verdict(host: host, port: 443) == .listed)
    }

    private static let notListed: [(list: String, host: String)] = [
        ("", "kms.example.com"), (",", "kms.example.com"), ("other.example", "kms.example.com"),
        ("kms.example.com", "example.com"), ("ample.com", "kms.example.com"), ("*.example.com", "example.com"),
        ("kms.example.com:8443", "kms.example.com"), ("example.com", "example.com.evil.example"),
        ("kms*", "kms.example.com"), ("<local>", "kms.example.com"), ("https://kms.example.com", "kms.example.com"),
        ("10.0.0.1", "10.0.0.10"), ("10.0.0.0/8", "11.0.0.1"), ("192.0.2.64/26", "192.0.2.128"),
        ("10.0.0.0/8", "10.example.com"), ("0.0.0.0/0", "kms.example.com"), ("::/0", "10.0.0.1"),
        ("10.0.0.1:8443", "10.0.0.1"), ("fd00::9", "fd00::a"), ("[fd00::9]:8443", "fd00::9"),
        ("2001:db8::/33", "2001:db8:8000::1"), ("0.0.1", "10.0.0.1.example.com"),
        // What can't be read is no matter of a host of another kind.
        ("10.0.0/8", "kms.example.com"), ("10.0.0.0/99", "kms.example.com"), ("[fd00::9", "kms.example.com"),
        ("other.example:x", "kms.example.com"), ("10.", "kms.example.com"), ("fd00:::1", "kms.example.com"),
    ]

    @Test(arguments: notListed)
    func `a host that the list has not is reached through the proxy`(list: String, host: String) {
        #expect(ProxyExceptions(list).verdict(host: host, port: 443) == .notListed)
    }

    private static let undecidable: [(list: String, host: String, entry: String)] = [
        ("10.0.0/8", "10.0.0.1", "10.0.0/8"), ("a.example,10.0.0.0/33", "10.0.0.1", "10.0.0.0/33"),
        ("fd00::/129", "fd00::9", "fd00::/129"), ("[fd00::9", "fd00::9", "[fd00::9"),
        ("fd00:::1", "fd00::1", "fd00:::1"), ("10.", "10.0.0.1", "10."),
        ("example.com:https", "kms.example.com", "example.com:https"),
        ("kms.example.com:", "kms.example.com", "kms.example.com:"),
        ("kms.example.com:99999", "kms.example.com", "kms.example.com:99999"),
    ]

    @Test(arguments: undecidable)
    func `an entry that may mean the host and can't be read is named`(list: String, host: String, entry: String) {
        #expect(ProxyExceptions(list).verdict(host: host, port: 443) == .undecidable(entry: entry))
        // What another entry says of the host counts all the same.
        #expect(ProxyExceptions("\(list),\(host)").verdict(host: host, port: 443) == .listed)
    }

    @Test func `the endpoint's way is told with what stands in it`() throws {
        let proxy = try ProxyConfiguration(url: "http://proxy:3128")
        let malformed = InvalidValue("HTTPS_PROXY", "must be a proxy")
        func way(_ endpoint: String, _ settings: ProxySettings) throws -> String? {
            try settings.proxy(for: try Endpoint(endpoint))?.url
        }
        let list = ProxyExceptions("example.com, 10.0.0/8")
        #expect(try way("https://kms.example.com", .none) == nil)
        #expect(try way("https://kms.example.com", ProxySettings(.success(proxy))) == proxy.url)
        #expect(try way("https://kms.example.com", ProxySettings(.success(proxy), exceptions: list)) == nil)
        #expect(try way("https://kms.example.com", ProxySettings(.failure(malformed), exceptions: list)) == nil)
        #expect(try way("https://127.0.0.1:1", ProxySettings(.failure(malformed))) == nil)
        #expect(throws: malformed) { try way("https://kms.example.com", ProxySettings(.failure(malformed))) }
        let error = #expect(throws: InvalidValue.self) {
            try way(
                "https://10.0.0.1",
                ProxySettings(.success(proxy), exceptions: list, exceptionsName: "no_proxy"))
        }
        #expect(error?.name == "no_proxy")
        #expect(error?.problem.contains("10.0.0/8") == true)
    }
}
