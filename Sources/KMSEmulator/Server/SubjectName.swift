import Platform

/// A host that a certificate is good for (RFC 5280, section 4.2.1.6).
package enum SubjectName: Sendable, Hashable {
    case dns(String)
    case address(IPAddress)

    /// Reads an IP address, or a host name: labels of letters, digits, hyphens and underscores, up to 253 bytes in all,
    /// of which the first may be `*`. Nil for anything else.
    package init?(_ text: String) {
        if let address = IPAddress(text) {
            self = .address(address)
            return
        }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isWildcard = labels.count > 1 && labels[0] == "*"
        guard (1...253).contains(text.utf8.count), (isWildcard ? labels[1...] : labels[...]).allSatisfy(Self.isLabel)
        else { return nil }
        // Four numbers are an address, and this is not one.
        guard !labels.allSatisfy({ $0.utf8.allSatisfy(\.isASCIIDigit) }) else { return nil }
        self = .dns(text)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { byte in
                byte.isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte.asciiLowercased)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    /// As OpenSSL's configuration files write it.
    var openSSLText: String {
        switch self {
        case .dns(let name): "DNS:\(name)"
        case .address(let address): "IP:\(address)"
        }
    }

    /// What a server that listens on an address can be called: always by the loopback's names; on an address that others
    /// reach also by that address, or by all of this machine when it listens on all, and by the machine's host name.
    static func names(listeningOn address: IPAddress) -> [SubjectName] {
        var names: [SubjectName] = [.dns("localhost"), .address(.loopback), .address(.loopback6)]
        if address.isUnspecified {
            let reachable = IPAddress.ofThisMachine().filter { address.isIPv6 || !$0.isIPv6 }
            names += reachable.map(SubjectName.address)
        } else {
            names.append(.address(address))
        }
        if !address.isLoopback, let hostName = Self.hostName { names.append(hostName) }
        return names.unique
    }

    private static var hostName: SubjectName? {
        // HOST_NAME_MAX is 64 on Linux, 255 elsewhere.
        var text = [CChar](repeating: 0, count: 256)
        guard gethostname(&text, text.count - 1) == 0 else { return nil }
        return SubjectName(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}

extension [SubjectName] {
    /// Each once, in the same order.
    var unique: [SubjectName] {
        var seen: Set<SubjectName> = []
        return filter { seen.insert($0).inserted }
    }
}
