import Testing

@testable import NCloudKMS

@Suite struct EngineAddressTests {
    @Test(arguments: [
        ("unix:///run/redis/redis-server.sock", "unix:///run/redis/redis-server.sock", false, false),
        ("UNIX:///a", "unix:///a", false, false),
        ("redis://localhost", "redis://localhost:6379", false, false),
        ("redis://LOCALHOST:7/", "redis://localhost:7", false, false),
        ("redis://127.9.9.9", "redis://127.9.9.9:6379", false, false),
        ("redis://[::1]", "redis://[::1]:6379", false, false),
        ("redis://[::1]:7", "redis://[::1]:7", false, false),
        ("redis://cache.example.com", "redis://cache.example.com:6379", false, true),
        ("redis://10.0.0.1:6380", "redis://10.0.0.1:6380", false, true),
        ("rediss://cache.example.com/", "rediss://cache.example.com:6379", true, false),
        ("Rediss://[2001:DB8::1]:1", "rediss://[2001:db8::1]:1", true, false),
    ])
    func `an address is read`(url: String, text: String, usesTLS: Bool, isPlaintextElsewhere: Bool) throws {
        let address = try EngineAddress(url)
        #expect("\(address)" == text)
        #expect(address.usesTLS == usesTLS)
        #expect(address.isPlaintextToAnotherMachine == isPlaintextElsewhere)
        #expect(try EngineAddress(text) == address)
    }

    @Test(arguments: [
        ("", "must be unix"), ("localhost", "must be unix"), ("http://localhost", "must be unix"),
        ("redis:/localhost", "must be unix"), ("redis+unix:///a", "must be unix"),
        ("unix://", "absolute path"), ("unix://run/redis.sock", "absolute path"), ("unix:///", "absolute path"),
        ("unix:///run/", "absolute path"), ("unix:///a?db=1", "nothing after"), ("unix:///a#b", "nothing after"),
        ("unix:///" + String(repeating: "a", count: 107), "at most 107 bytes"),
        ("redis://", "malformed host"), ("redis://:6379", "malformed host"), ("redis://a b", "no spaces"),
        ("redis://caché", "only ASCII"), ("redis://::1", "brackets"), ("redis://[::1", "closing bracket"),
        ("redis://a:0", "a port from 1"), ("redis://a:65536", "a port from 1"), ("redis://a:", "a port from 1"),
        ("redis://a/0", "remove everything"), ("redis://a:1/0", "remove everything"),
        ("redis://a?db=1", "remove everything"), ("redis://a//", "remove everything"),
        ("redis://user:secret@a", "user name or password"), ("redis://:secret@a:1", "user name or password"),
        ("rediss://secret@a", "user name or password"), ("redis://user:secret@a/1", "user name or password"),
    ])
    func `another address is refused`(url: String, problem: String) throws {
        do {
            _ = try EngineAddress(url)
            Issue.record("accepted")
        } catch {
            #expect(error.name == "shared")
            #expect(error.problem.contains(problem), "\(error)")
            #expect(!error.problem.contains("secret"))
        }
    }

    @Test func `the longest path of a socket fits`() throws {
        let path = "/" + String(repeating: "a", count: 106)
        #expect(try EngineAddress("unix://" + path).place == .socket(path: path))
    }

    @Test func `plain TCP to another machine must be allowed`() throws {
        let address = try EngineAddress("redis://cache.example.com")
        #expect(throws: InvalidValue.self) { try SharedStateConfiguration(address: address) }
        _ = try SharedStateConfiguration(address: address, allowsPlaintext: true)
        _ = try SharedStateConfiguration(address: EngineAddress("rediss://cache.example.com"))
    }
}
