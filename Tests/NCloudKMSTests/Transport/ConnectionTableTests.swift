import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// Who has which connection.
@Suite struct ConnectionTableTests {
    /// A socket that is connected to a server of its own.
    private final class Connection {
        let server: RawResponder
        let descriptor: CInt
        private(set) var localPort: CInt = 0

        /// - Parameter localPort: 0 is a free one.
        init(localPort: CInt = 0) throws {
            server = try RawResponder([.waitUntilPeerCloses])
            #if canImport(Darwin)
            let stream = SOCK_STREAM
            #else
            let stream = CInt(SOCK_STREAM.rawValue)
            #endif
            descriptor = socket(AF_INET, stream, 0)
            // Else a port has one connection only.
            var isOn: CInt = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<CInt>.size))
            var local = Self.loopback(UInt16(localPort))
            var peer = Self.loopback(server.port)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = Self.withAddress(&local) { bind(descriptor, $0, length) }
            try #require(status == 0 && Self.withAddress(&peer) { connect(descriptor, $0, length) } == 0)
            _ = Self.withAddress(&local) { getsockname(descriptor, $0, &length) }
            self.localPort = CInt(UInt16(bigEndian: local.sin_port))
        }

        deinit { close(descriptor) }

        var isAlive: Bool { send(descriptor, "x", 1, CInt(MSG_NOSIGNAL)) == 1 }

        func take(_ table: ConnectionTable, for user: ResponseCollector) -> (check: ConnectionCheck, descriptor: CInt?)
        {
            table.take(
                localPort: localPort, peerPort: CInt(server.port), peerAddress: "127.0.0.1", for: user,
                isEncrypted: false, ConnectionCheck())
        }

        private static func loopback(_ port: UInt16) -> sockaddr_in {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            return address
        }

        private static func withAddress(
            _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> CInt
        ) -> CInt {
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
            }
        }
    }

    private let clock = ManualClock()

    private func user() -> ResponseCollector { ResponseCollector(clock: clock) }

    @Test func `a connection that another transfer has taken is given back by that one alone`() throws {
        let table = ConnectionTable(clock: clock)
        let connection = try Connection()
        table.opened(connection.descriptor)
        let (first, second) = (user(), user())
        #expect(!connection.take(table, for: first).check.isKept)
        // The first has ended, but nobody has seen it yet.
        #expect(connection.take(table, for: second).check.isKept)
        table.release(by: first, isSound: false)
        table.condemnIdle()
        #expect(connection.isAlive)
        table.release(by: second, isSound: true)
        table.condemnIdle()
        #expect(!connection.isAlive)
        #expect(connection.take(table, for: user()).check.isCondemned)
    }

    @Test func `connections to two peers may have the same local port`() throws {
        let table = ConnectionTable(clock: clock)
        let one = try Connection()
        let other = try Connection(localPort: one.localPort)
        #expect(one.localPort == other.localPort)
        for connection in [one, other] { table.opened(connection.descriptor) }
        let (first, second) = (user(), user())
        #expect(one.take(table, for: first).descriptor == one.descriptor)
        let (check, descriptor) = other.take(table, for: second)
        #expect(descriptor == other.descriptor)
        #expect(!check.isKept)
        table.release(by: first, isSound: false)
        #expect(!one.isAlive)
        #expect(other.isAlive)
    }

    @Test(arguments: [(799, false), (800, true)])
    func `a silence speaks against the kept connections if an answer is quicker`(delay: Int, isSound: Bool) throws {
        let table = ConnectionTable(clock: clock)
        let connection = try Connection()
        table.opened(connection.descriptor)
        let first = user()
        _ = connection.take(table, for: first)
        table.release(by: first, isSound: true)
        table.doubtKept(after: .milliseconds(800))
        #expect(table.doubtsKept)
        #expect(connection.isAlive)
        table.sawAnswer(after: .milliseconds(delay))
        #expect(!table.doubtsKept)
        #expect(connection.isAlive == isSound)
    }
}
