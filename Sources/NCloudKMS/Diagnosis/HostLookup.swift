import KMSPlatform

/// Looks up the addresses of a host, blocking.
enum HostLookup {
    /// - Returns: the addresses as text; that of an address is itself.
    static func addresses(of host: String) throws(LookupFailure) -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &first)
        guard status == 0 else { throw LookupFailure(description: String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(first) }
        var texts: [String] = []
        for entry in sequence(first: first, next: { $0?.pointee.ai_next }) {
            guard let entry else { break }
            // INET6_ADDRSTRLEN is 46; a link-local address is followed by its interface.
            let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { text -> String? in
                let status = getnameinfo(
                    entry.pointee.ai_addr, entry.pointee.ai_addrlen, text.baseAddress, socklen_t(text.count), nil, 0,
                    NI_NUMERICHOST)
                return status == 0 ? text.baseAddress.map { String(cString: $0) } : nil
            }
            if let text { texts.append(text) }
        }
        return texts
    }
}

/// The error of `getaddrinfo`.
package struct LookupFailure: Error, CustomStringConvertible {
    package let description: String
}
