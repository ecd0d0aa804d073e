import KMSPlatform

/// An IPv4 or IPv6 address.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 bytes, in network order.
    let bytes: [UInt8]

    package static let loopback = IPAddress(bytes: [127, 0, 0, 1])
    static let loopback6 = IPAddress(bytes: [UInt8](repeating: 0, count: 15) + [1])

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Parses `127.0.0.1`, `::1` or `[::1]`; nil for anything else, such as names and addresses with a zone.
    package init?(_ text: String) {
        let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
        let text = isBracketed ? String(text.dropFirst().dropLast()) : text
        // The C functions would stop at a NUL.
        guard !text.utf8.contains(0) else { return nil }
        var address = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET6, text, &address) == 1 {
            bytes = address
        } else if !isBracketed, inet_pton(AF_INET, text, &address) == 1 {
            bytes = Array(address.prefix(4))
        } else {
            return nil
        }
    }

    var isIPv6: Bool { bytes.count == 16 }

    /// `0.0.0.0` or `::`, which mean all addresses of a machine.
    var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

    /// Whether only this machine can reach it: 127.0.0.0/8, also as an IPv4-mapped address, and `::1`.
    package var isLoopback: Bool {
        if !isIPv6 { return bytes[0] == 127 }
        let isMapped = bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return self == .loopback6 || isMapped && bytes[12] == 127
    }

    package var description: String {
        // INET6_ADDRSTRLEN is 46.
        var text = [CChar](repeating: 0, count: 46)
        guard inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// As the host of a URL: IPv6 in brackets (RFC 3986, section 3.2.2).
    package var urlHost: String { isIPv6 ? "[\(self)]" : description }

    /// Calls `body` with the address and a port, in the form that the socket calls expect.
    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result)
        -> Result
    {
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
            return Self.withGeneric(&address, body)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
        return Self.withGeneric(&address, body)
    }

    private static func withGeneric<Address, Result>(
        _ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    /// The addresses of this machine's interfaces, without duplicates; empty if the system can't list them.
    static func ofThisMachine() -> [IPAddress] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: [IPAddress] = []
        for entry in sequence(first: first, next: { $0?.pointee.ifa_next }) {
            guard let address = entry?.pointee.ifa_addr.flatMap(IPAddress.init(reading:)) else { continue }
            if !found.contains(address) { found.append(address) }
        }
        return found
    }

    private init?(reading address: UnsafeMutablePointer<sockaddr>) {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            var address = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            bytes = withUnsafeBytes(of: &address) { Array($0) }
        case AF_INET6:
            var address = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            bytes = withUnsafeBytes(of: &address) { Array($0) }
        default: return nil
        }
    }
}
