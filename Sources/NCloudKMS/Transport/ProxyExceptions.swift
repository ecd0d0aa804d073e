import KMSPlatform

/// The hosts that are reached without a proxy, as `NO_PROXY` lists them.
///
/// There is no standard. This type accepts what curl, Go and Python's requests agree on, and what one of them accepts
/// if no other contradicts it. Entries are case-insensitive, and separated by commas or white space:
///
/// | entry | stands for |
/// |---|---|
/// | `*` | every host |
/// | `example.com`, `.example.com` | that host, and the hosts below it |
/// | `*.example.com` | the hosts below it |
/// | `10.0.0.7`, `fd00::9`, `[fd00::9]` | that address |
/// | `10.0.0.0/8`, `fd00::/8` | the addresses of that network |
/// | one of these followed by `:443` | the same, only on that port; an IPv6 address needs brackets |
///
/// An address is compared with hosts that are written as addresses: no name is looked up.
public struct ProxyExceptions: Sendable {
    package enum Verdict: Equatable, Sendable {
        case listed
        case notListed
        /// An entry is malformed, so it is not known whether it matches the host.
        case undecidable(entry: String)
    }

    private enum Hosts {
        case all
        case domain(String, includesItself: Bool)
        case network(IPAddress, prefixBits: Int)
        /// An entry that looks like an address or a network but is not valid, so it can't be a name either.
        case malformedAddress
    }

    private struct Entry {
        let text: String
        let hosts: Hosts
        /// Nil: any.
        let port: Port?
    }

    private enum Port: Equatable {
        case number(UInt16)
        case malformed
    }

    private let entries: [Entry]

    /// Reads a list. A malformed entry fails only the calls that it might apply to.
    ///
    /// - Parameter list: the variable's value.
    public init(_ list: String = "") {
        entries = list.utf8.split { $0 == UInt8(ascii: ",") || $0.isASCIIWhitespace }.map { text in
            Self.entry(String(decoding: text.map(\.asciiLowercased), as: UTF8.self))
        }
    }

    /// - Parameter host: a name or an address in lower case; an IPv6 address without its brackets.
    package func verdict(host: String, port: UInt16) -> Verdict {
        let host = host.hasSuffix(".") ? String(host.dropLast()) : host
        let address = IPAddress(host)
        var undecidable: Verdict?
        for entry in entries {
            switch entry.hosts {
            case .all: break
            case .domain(let domain, let includesItself):
                let isIt = includesItself && host == domain
                guard address == nil, isIt || host.hasSuffix(".\(domain)") else { continue }
            case .network(let network, let bits):
                guard let address, address.hasPrefix(network, bits: bits) else { continue }
            case .malformedAddress:
                if address != nil { undecidable = undecidable ?? .undecidable(entry: entry.text) }
                continue
            }
            switch entry.port {
            case nil, .number(port): return .listed
            case .number: continue
            case .malformed: undecidable = undecidable ?? .undecidable(entry: entry.text)
            }
        }
        return undecidable ?? .notListed
    }

    // MARK: Reading

    private static func entry(_ text: String) -> Entry {
        if text.hasPrefix("[") { return bracketed(text) }
        // A second colon makes it an IPv6 address, which has no port without brackets.
        if text.utf8.count(where: { $0 == UInt8(ascii: ":") }) > 1, !text.contains("://") {
            return Entry(text: text, hosts: network(text[...]) ?? .malformedAddress, port: nil)
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return Entry(text: text, hosts: hosts(parts[0]), port: parts.count == 2 ? port(parts[1]) : nil)
    }

    private static func bracketed(_ text: String) -> Entry {
        guard let close = text.firstIndex(of: "]") else {
            return Entry(text: text, hosts: .malformedAddress, port: nil)
        }
        let address = text[..<close].dropFirst()
        let rest = text[text.index(after: close)...]
        let isNetwork = rest.hasPrefix("/")
        let hosts = network(isNetwork ? address + rest : address) ?? .malformedAddress
        let hasPort = !isNetwork && !rest.isEmpty
        return Entry(
            text: text, hosts: hosts, port: !hasPort ? nil : rest.hasPrefix(":") ? port(rest.dropFirst()) : .malformed)
    }

    private static func hosts(_ text: Substring) -> Hosts {
        if text == "*" { return .all }
        if let network = network(text) { return network }
        // No name ends like that.
        let numberPart = text.utf8.prefix { $0 != UInt8(ascii: "/") }
        let isNumeric = numberPart.allSatisfy { $0.isASCIIDigit || $0 == UInt8(ascii: ".") }
        if isNumeric, numberPart.contains(where: \.isASCIIDigit) { return .malformedAddress }
        let name = text.hasSuffix(".") ? text.dropLast() : text
        if name.hasPrefix("*.") { return .domain(String(name.dropFirst(2)), includesItself: false) }
        return .domain(String(name.drop { $0 == "." }), includesItself: true)
    }

    /// An address, or `ADDRESS/BITS`; nil for anything else.
    private static func network(_ text: Substring) -> Hosts? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        guard parts.count == 2 else { return .network(address, prefixBits: address.bits) }
        guard parts[1].utf8.allSatisfy(\.isASCIIDigit), let bits = Int(parts[1]), bits <= address.bits else {
            return .malformedAddress
        }
        return .network(address, prefixBits: bits)
    }

    private static func port(_ text: Substring) -> Port {
        guard text.utf8.allSatisfy(\.isASCIIDigit), let number = UInt16(text), number > 0 else { return .malformed }
        return .number(number)
    }
}

/// An IPv4 or IPv6 address, as text in the form that `inet_pton` accepts.
struct IPAddress: Equatable, Sendable {
    /// 4 or 16.
    let bytes: [UInt8]

    var bits: Int { bytes.count * 8 }

    init?(_ text: String) {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            bytes = withUnsafeBytes(of: &v4) { Array($0) }
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: &v6) { Array($0) }
        // An IPv4 address in the form of an IPv6 one is the same host (RFC 4291, section 2.5.5.2).
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.bytes = isMapped ? Array(bytes.suffix(4)) : bytes
    }

    func hasPrefix(_ network: IPAddress, bits: Int) -> Bool {
        guard bytes.count == network.bytes.count else { return false }
        let (whole, rest) = bits.quotientAndRemainder(dividingBy: 8)
        guard bytes.prefix(whole) == network.bytes.prefix(whole) else { return false }
        return rest == 0 || (bytes[whole] ^ network.bytes[whole]) >> (8 - rest) == 0
    }
}
