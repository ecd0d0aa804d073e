import CKMSLibcurl
import KMSPlatform

@testable import NCloudKMS

let settingTargets = [
    FuzzTarget("profile", maximumBytes: 512, checkProfile),
    FuzzTarget("dates", maximumBytes: 64, checkDates),
    FuzzTarget("endpoint", maximumBytes: 128, checkEndpoint),
    FuzzTarget("proxy", maximumBytes: 128, checkProxy),
    FuzzTarget("exceptions", maximumBytes: 128, checkExceptions),
]

// MARK: The profile file

/// The profile's name, a line feed, the file.
private func checkProfile(_ input: [UInt8]) throws {
    let fields = input.fields(2)
    let bytes = Array(fields[1].utf8)
    let whole = outcome(of: bytes, profile: fields[0])
    try require(outcome(of: bytes + Array("\n# end\n".utf8), profile: fields[0]) == whole, "a comment changes nothing")
    if let credentials = whole.credentials {
        try require(credentials.allSatisfy { fields[1].utf8.firstRange(of: $0) != nil }, "the values are in the file")
    }
    if let problem = whole.problem {
        // Names of settings are at most 24 bytes long.
        for word in fields[1].split(whereSeparator: { $0.isWhitespace || $0 == "=" }) where word.utf8.count > 30 {
            try require(!problem.contains(word) || fields[0].contains(word), "no error repeats the file's text")
        }
    }
}

private struct ProfileOutcome: Equatable {
    /// The access key id and the secret.
    var credentials: [[UInt8]]?
    var problem: String?
}

private func outcome(of bytes: [UInt8], profile: String) -> ProfileOutcome {
    do {
        let file = try bytes.withUnsafeBufferPointer { bytes throws(ProfileFile.Problem) in
            try ProfileFile(bytes, profile: profile)
        }
        let credentials = try file.credentials(source: .profile(name: profile, file: "/file"))
        guard case .keyPair(let id, let secret) = credentials?.kind else { return ProfileOutcome() }
        return ProfileOutcome(credentials: [Array(id.utf8), secret.withBytes { Array($0) }])
    } catch {
        return ProfileOutcome(problem: "\(error)")
    }
}

// MARK: Dates

private func checkDates(_ input: [UInt8]) throws {
    let text = input.text
    // 2026-01-01.
    let now: Int64 = 1_767_225_600_000
    // libcurl has no leap seconds, no years before 1583, and another idea of years with two digits.
    let isLeapSecond = text.contains(":60")
    if let date = HTTPDate.milliseconds(of: text, now: now), !isLeapSecond, !text.contains("-"),
        date >= -12_212_553_600_000
    {
        // -1 means an error, so libcurl takes 1970 for the second before it.
        let expected = date == -1_000 ? 0 : date / 1_000
        let reference = Int64(curl_getdate(text, nil))
        try require(!text.contains("\0") && reference == expected, "libcurl reads the same date: \(reference)")
        let hasFourDigits = (-11_676_096_000_000..<253_402_300_800_000).contains(date)
        let written = CivilTime(milliseconds: date).httpDate
        let again = HTTPDate.milliseconds(of: written, now: now)
        try require(!hasFourDigits || again == date, "it can be written: \(written)")
    }
    if let delay = RetryAfter.delay(of: text, now: now) {
        try require((.zero ... .seconds(86_400)).contains(delay), "a wait is at most a day")
        if let seconds = Int64(text) { try require(delay == .seconds(seconds), "a number is seconds") }
    }
    guard let date = ISO8601Date.milliseconds(of: text) else { return }
    let years: Range<Int64> = -62_167_219_200_000..<253_402_300_800_000
    guard years.contains(date) else { return }
    try require(ISO8601Date.milliseconds(of: CivilTime(milliseconds: date).rfc3339) == date, "the date can be written")
    guard text.utf8.count == 20, !isLeapSecond else { return }
    let field = { (range: Range<Int>) in CInt(decimal: input[range]) }
    var civil = tm()
    civil.tm_year = field(0..<4) - 1_900
    civil.tm_mon = field(5..<7) - 1
    civil.tm_mday = field(8..<10)
    civil.tm_hour = field(11..<13)
    civil.tm_min = field(14..<16)
    civil.tm_sec = field(17..<19)
    try require(Int64(timegm(&civil)) * 1_000 == date, "the C library reads the same date")
}

extension CInt {
    fileprivate init(decimal digits: ArraySlice<UInt8>) {
        self = digits.reduce(0) { $0 * 10 + CInt($1) - 48 }
    }
}

// MARK: Endpoints

private func checkEndpoint(_ input: [UInt8]) throws {
    let text = input.text
    if let endpoint = try? Endpoint(anySecurity: text, name: "endpoint") {
        let reference = try referenceURL(text)
        try require(reference.scheme == endpoint.scheme.rawValue, "libcurl reads the scheme")
        try require(reference.port == String(endpoint.port), "libcurl reads the port: \(reference.port)")
        try requireSameHost(reference.host, endpoint.host)
        try require(reference.rest.isEmpty, "libcurl finds nothing else: \(reference.rest)")
        try require(try Endpoint(anySecurity: "\(endpoint)", name: "endpoint") == endpoint, "it can be written")
        // The address that libcurl connects to, if it is one.
        if endpoint.isLoopback, let address = IPAddress(endpoint.host) {
            let isThisMachine =
                address.bytes.count == 4
                ? address.bytes[0] == 127 : address.bytes == [UInt8](repeating: 0, count: 15) + [1]
            try require(isThisMachine, "loopback is this machine")
        }
        let isSafe = endpoint.scheme == .https || endpoint.isLoopback
        try require(((try? Endpoint(text)) == endpoint) == isSafe, "plain http is for this machine")
        if endpoint.isLinkLocal {
            let bytes = IPAddress(endpoint.host)?.bytes ?? []
            try require(bytes.starts(with: [169, 254]) || bytes.first == 0xFE, "link-local is an address")
        }
    }
    if let zone = try? Zone(named: text) {
        try require(try Endpoint("\(zone.endpoint)") == zone.endpoint, "a zone has an endpoint")
    }
    if let address = try? EngineAddress(text) {
        try require(try EngineAddress("\(address)") == address, "an engine's address can be written")
        let peer = address.peer(identity: nil)
        let reference = try referenceURL(peer.url)
        try require(reference.scheme == (address.usesTLS ? "https" : "http"), "a stream is as safe as the address")
        try require(!address.isPlaintextToAnotherMachine || !peer.usesTLS, "plain text is plain text")
        switch address.place {
        case .socket(let path): try require(peer.socketPath == path, "the path of the socket")
        case .host(let host, let port, _, _):
            try requireSameHost(reference.host, host)
            try require(reference.port == String(port) && reference.rest.isEmpty, "the port and nothing else")
        }
        try require(!"\(address)".contains("@") || text.lowercased().hasPrefix("unix:"), "no user name is accepted")
    }
}

private struct ReferenceURL {
    var scheme = ""
    var host = ""
    var port = ""
    /// User, password, path without its slash, query and fragment.
    var rest = ""
}

private func referenceURL(_ text: String) throws -> ReferenceURL {
    guard let parts = curl_url() else { throw PlatformError("curl_url") }
    defer { curl_url_cleanup(parts) }
    try require(curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK, "libcurl accepts the URL")
    func part(_ part: CURLUPart, _ flags: UInt32 = 0) -> String {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(parts, part, &text, flags) == CURLUE_OK, let text else { return "" }
        defer { curl_free(text) }
        return String(cString: text)
    }
    let path = part(CURLUPART_PATH)
    let rest = [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT].map { part($0) }.joined()
    return ReferenceURL(
        scheme: part(CURLUPART_SCHEME), host: part(CURLUPART_HOST),
        port: part(CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT)), rest: rest + (path == "/" ? "" : path))
}

private func requireSameHost(_ reference: String, _ host: String) throws {
    let bare = reference.hasPrefix("[") ? String(reference.dropFirst().dropLast()) : reference
    // libcurl writes an IPv6 address in its shortest form.
    let isSame = bare.lowercased() == host || (bare.contains(":") && IPAddress(bare) == IPAddress(host))
    try require(isSame, "libcurl reads the host: \(reference)")
}

// MARK: Proxies

private func checkProxy(_ input: [UInt8]) throws {
    let text = input.text
    do {
        let proxy = try ProxyConfiguration(url: text)
        let again = try ProxyConfiguration(url: proxy.url)
        try require(again.host == proxy.host && again.hasUserInfo == proxy.hasUserInfo, "its URL is the same proxy")
        try require(!proxy.host.isEmpty && !proxy.host.contains("@"), "it has a host")
        try require("\(proxy)" == "<redacted>", "it prints nothing")
        try require(proxy.speaksTLS == proxy.url.lowercased().hasPrefix("https:"), "TLS is the scheme's")
    } catch let invalid as InvalidValue {
        let password = text.split(separator: "@").first?.split(separator: ":").last ?? ""
        try require(password.utf8.count < 16 || !"\(invalid)".contains(password), "no error repeats a password")
    }
}

/// The list, a line feed, the host.
private func checkExceptions(_ input: [UInt8]) throws {
    let fields = input.fields(2)
    // As in an endpoint.
    let host = fields[1].lowercased()
    guard host.utf8.allSatisfy({ $0.isVisibleASCII && $0 != UInt8(ascii: "[") }) else { return }
    let verdict = ProxyExceptions(fields[0]).verdict(host: host, port: 443)
    let reordered = fields[0].split(separator: ",").reversed().joined(separator: ",")
    let isListed = { (verdict: ProxyExceptions.Verdict) in verdict == .listed }
    try require(
        isListed(ProxyExceptions(reordered).verdict(host: host, port: 443)) == isListed(verdict), "in any order")
    try require(ProxyExceptions(fields[0] + ",*").verdict(host: host, port: 443) == .listed, "* lists every host")
    if let endpoint = try? Endpoint(anySecurity: "https://\(host)", name: "endpoint"), endpoint.host == host {
        try checkChoice(ProxyExceptions(fields[0]), verdict, endpoint)
    }

    // Names alone follow a simple rule.
    let isName = { (text: Substring) in
        text.contains { $0.isLetter } && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") }
    }
    let entries = fields[0].lowercased().split { $0 == "," || ($0.isASCII && $0.isWhitespace) }
    guard entries.allSatisfy(isName), isName(host[...]), !host.hasSuffix(".") else { return }
    let matches = entries.contains { entry in
        let name = (entry.hasSuffix(".") ? entry.dropLast() : entry).drop { $0 == "." }
        return host == name || host.hasSuffix(".\(name)")
    }
    try require(verdict == (matches ? .listed : .notListed), "a name lists itself and what is below it")
}

private func checkChoice(
    _ exceptions: ProxyExceptions, _ verdict: ProxyExceptions.Verdict, _ endpoint: Endpoint
) throws {
    let settings = ProxySettings(try ProxyConfiguration(url: "http://proxy:3128"), exceptions: exceptions)
    let choice = Result { () throws(InvalidValue) in try settings.proxy(for: endpoint) }
    switch (choice, verdict) {
    case (.success(nil), .listed), (.success(.some), .notListed): break
    case (.success(nil), _): try require(endpoint.isLoopback, "only this machine is reached directly without an entry")
    case (.failure(let error), .undecidable): try require(!"\(error)".isEmpty, "an error says why")
    default: throw BrokenRule(description: "the choice follows from the list: \(verdict)")
    }
}
