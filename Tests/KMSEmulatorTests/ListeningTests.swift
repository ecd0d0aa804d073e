import KMSPlatform
import Testing

@testable import KMSEmulator

/// Where an emulator listens, and the names in its certificate.
@Suite struct ListeningTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("127.9.9.9", "127.9.9.9", true), ("0.0.0.0", "0.0.0.0", false),
        ("10.0.0.5", "10.0.0.5", false), ("::1", "[::1]", true), ("[::1]", "[::1]", true), ("::", "[::]", false),
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", true), ("::ffff:10.0.0.1", "[::ffff:10.0.0.1]", false),
        ("FD00:0::9", "[fd00::9]", false),
    ])
    func `an address is read in every spelling`(text: String, host: String, isLoopback: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(address.urlHost == host)
        #expect(address.isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", "localhost", "127.0.0.1:80", "127.1", "256.0.0.1", "[127.0.0.1]", "[::1", "fe80::1%lo", "::1 ",
        "0x7f000001",
        "127.0.0.1\0x",
    ])
    func `what is not an address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("kms.test", "DNS:kms.test"), ("KMS", "DNS:KMS"), ("*.kms.test", "DNS:*.kms.test"), ("my_kms", "DNS:my_kms"),
        ("10.0.0.5", "IP:10.0.0.5"), ("[fd00::9]", "IP:fd00::9"), ("1.kms", "DNS:1.kms"),
    ])
    func `a subject is a name or an address`(text: String, expected: String) {
        #expect(SubjectName(text)?.openSSLText == expected)
    }

    @Test(arguments: [
        "", ".", "a..b", "a.b.", "-a.b", "a-.b", "a,DNS:b", "a b", "DNS:a", "*", "a.*.b", "kms/x", "https://kms",
        "kms:443",
        "10.0.0", "10.0.0.256", "é.test", String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "a",
    ])
    func `what a certificate can't name is refused`(text: String) {
        #expect(SubjectName(text) == nil)
    }

    @Test(.enabled(if: hasIPv6, "there is no IPv6 here")) func `it serves on IPv6`() async throws {
        let emulator = try Emulator(.init(address: .loopback6))
        defer { emulator.stop() }
        #expect(emulator.endpoint == "https://[::1]:\(emulator.port)")
        #expect(try await Curl.send(SignedRequest(), to: emulator).response.status == 200)
    }

    @Test func `on all IPv4 addresses it serves each of this machine, which its certificate names`() async throws {
        try await expectEachAddressIsServed(listeningOn: "0.0.0.0")
    }

    @Test(.enabled(if: hasIPv6, "there is no IPv6 here"))
    func `on all addresses it serves each of this machine, which its certificate names`() async throws {
        try await expectEachAddressIsServed(listeningOn: "::")
    }

    private func expectEachAddressIsServed(listeningOn text: String) async throws {
        let listen = try #require(IPAddress(text))
        let emulator = try Emulator(.init(address: listen))
        defer { emulator.stop() }
        #expect(emulator.endpoint == "https://\(listen.isIPv6 ? "[::1]" : "127.0.0.1"):\(emulator.port)")
        let addresses = IPAddress.ofThisMachine().filter { listen.isIPv6 || !$0.isIPv6 }
        #expect(addresses.contains(listen.isIPv6 ? .loopback6 : .loopback))
        for address in addresses where !Self.needsZone(address) {
            let url = "https://\(address.urlHost):\(emulator.port)/_emulator/health"
            let (status, response) = try await Curl.send([url], trusting: emulator.certificateFile)
            #expect(status == 0 && response.status == 200, "\(address)")
        }
    }

    /// A link-local address means nothing without its interface.
    private static func needsZone(_ address: IPAddress) -> Bool {
        address.isIPv6 && address.bytes[0] == 0xFE && address.bytes[1] & 0xC0 == 0x80
    }

    @Test func `the certificate is valid for further names`() async throws {
        let names = try ["kms.test", "*.svc.test", "203.0.113.254"].map { try #require(SubjectName($0)) }
        let emulator = try Emulator(.init(names: names))
        defer { emulator.stop() }
        for (host, isGood) in [
            ("kms.test", true), ("a.svc.test", true), ("203.0.113.254", true), ("localhost", true),
            ("other.test", false),
        ] {
            let (status, _) = try await Curl.send(
                [
                    "--connect-to", "\(host):443:127.0.0.1:\(emulator.port)", "https://\(host)/_emulator/health",
                ], trusting: emulator.certificateFile)
            #expect((status == 0) == isGood, "\(host): \(status)")
        }
    }

    @Test func `an address of another machine is an error that says so`() throws {
        let address = try #require(IPAddress("203.0.113.254"))
        #expect(throws: PlatformError("bind to 203.0.113.254:0", errorNumber: EADDRNOTAVAIL)) {
            try Emulator(.init(address: address))
        }
    }
}
