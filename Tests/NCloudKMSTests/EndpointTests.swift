import Testing

@testable import NCloudKMS

@Suite struct EndpointTests {
    @Test(arguments: [
        ("https://ocapi.ncloud.com", "https://ocapi.ncloud.com"),
        ("HTTPS://OCAPI.ncloud.COM:443", "https://ocapi.ncloud.com"),
        ("https://kms.internal:8443", "https://kms.internal:8443"),
        ("https://under_score", "https://under_score"),
        ("https://10.0.0.1:1", "https://10.0.0.1:1"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.255.0.3", "http://127.255.0.3"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:80", "http://localhost"),
        ("http://LOCALHOST:65535", "http://localhost:65535"),
        ("https://ocapi.ncloud.com/", "https://ocapi.ncloud.com"), ("https://a:8443/", "https://a:8443"),
        ("https://[::1]/", "https://[::1]"),
    ])
    func `a URL of scheme, host and port is taken and written in one way`(text: String, expected: String) throws {
        #expect(try Endpoint(text).description == expected)
    }

    @Test(arguments: [
        ("", "must be scheme://host"), ("ocapi.ncloud.com", "must be scheme://host"),
        ("ftp://a", "must begin with https://"), ("https://", "malformed host"),
        ("https://a//", "remove everything from \"/\" on"), ("https:///", "malformed host"),
        ("https://a/b/", "remove everything from \"/\" on"), ("https://a/kms/v1", "nothing after it"),
        ("https://a?x=1", "nothing after it"), ("https://a#f", "nothing after it"),
        ("https://a\\b", "nothing after it"), ("https://user:pass@a", "user name or password"),
        ("https://a:", "port from 1 to 65535"), ("https://a:0", "port from 1 to 65535"),
        ("https://a:65536", "port from 1 to 65535"), ("https://a:+80", "port from 1 to 65535"),
        ("https://a:80:90", "in brackets"), ("https://::1", "in brackets"), ("https://[::1", "closing bracket"),
        ("https://[::1]x", "other than a port"), ("https://[fe80::1%25eth0]", "malformed IPv6"),
        ("https://[1.2.3.4]", "malformed IPv6"), ("https://a b", "ASCII"), ("https://\u{212A}ms", "ASCII"),
        ("https://a..b", "malformed host"), ("https://-a", "malformed host"), ("https://127.1", "malformed host"),
        ("https://2130706433", "malformed host"), ("https://0x7f.0.0.1", "malformed host"),
        ("https://\(String(repeating: "a", count: 64))", "malformed host"),
        ("http://ocapi.ncloud.com", "must use https"), ("http://10.0.0.1", "must use https"),
        ("http://128.0.0.1", "must use https"), ("http://[::2]", "must use https"),
        ("http://localhost.example", "must use https"), ("http://127.0.0.1.example", "must use https"),
        ("http://0.0.0.0", "must use https"),
    ])
    func `anything else is refused with a reason`(text: String, reason: String) {
        let error = #expect(throws: InvalidValue.self) { try Endpoint(text) }
        #expect(error?.name == "endpoint")
        #expect(error?.problem.contains(reason) == true)
        #expect(error?.problem.contains("pass@") == false)
    }

    @Test(arguments: [
        ("http://169.254.169.254", true), ("http://[fe80::1]", true), ("http://[febf::1]", true),
        ("http://169.253.169.254", false), ("http://[fec0::1]", false), ("http://localhost", false),
    ])
    func `link-local addresses are known`(text: String, expected: Bool) throws {
        #expect(try Endpoint(anySecurity: text, name: "x").isLinkLocal == expected)
    }

    @Test func `zones have their hosts`() throws {
        #expect(try Zone(named: "public").endpoint.description == "https://ocapi.ncloud.com")
        #expect(try Zone(named: "public-kr").endpoint.description == "https://ocapi-kr.ncloud.com")
        #expect(try Zone(named: "public-jp").endpoint.description == "https://ocapi-jp.ncloud.com")
        #expect(try Zone(named: "gov").endpoint.description == "https://ocapi.gov-ncloud.com")
        for zone in Zone.allCases { #expect(try Endpoint(zone.endpoint.description) == zone.endpoint) }
    }

    @Test func `the financial zone is refused because it has no such API`() {
        let error = #expect(throws: InvalidValue.self) { try Zone(named: "fin") }
        #expect(error?.problem.contains("has no KMS API 2.0") == true)
        #expect(throws: InvalidValue.self) { try Zone(named: "Public") }
    }
}
