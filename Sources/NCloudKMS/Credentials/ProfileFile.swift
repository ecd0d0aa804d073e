import KMSPlatform

/// The key pair of one profile in `~/.ncloud/configure`, in the format of NAVER's tools.
///
/// Lines of `name = value` after headers of the form `[profile]`; lines before the first header belong to `DEFAULT`,
/// and so does a file without headers. `#` and `;` start a comment at the start of a line and after a header. A value
/// is everything after the first `=`, without the white space around it and without one pair of quotes. Names are
/// case-insensitive, profiles are case-sensitive. A profile is independent of all others, even if they contain errors;
/// an incomplete pair is not completed.
struct ProfileFile {
    static let defaultProfile = "DEFAULT"
    static let accessKeyName = "ncloud_access_key_id"
    static let secretKeyName = "ncloud_secret_access_key"

    /// What is invalid, and the line, counted from 1; never the line's text.
    struct Problem: Error, Equatable, CustomStringConvertible {
        let line: Int
        let description: String

        fileprivate init(_ line: Int, _ text: String) {
            self.line = line
            description = "line \(line) \(text)"
        }
    }

    private struct Entry {
        let line: Int
        let value: SecretBytes
    }

    private let profile: String
    private var isPresent: Bool
    private var accessKey: Entry?
    private var secret: Entry?

    /// - Parameters:
    ///   - bytes: the file's text; line ends of any system, and a byte order mark, are accepted.
    ///   - profile: the profile to look for.
    init(_ bytes: UnsafeBufferPointer<UInt8>, profile: String) throws(Problem) {
        self.profile = profile
        isPresent = false
        var isInProfile = profile == Self.defaultProfile
        var number = 0
        var unreadableHeader: Problem?
        let text = bytes.droppingByteOrderMark()
        for rawLine in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let line = rawLine.trimmingWhitespace()
            guard let first = line.first, first != UInt8(ascii: "#"), first != UInt8(ascii: ";") else { continue }
            if first == UInt8(ascii: "[") {
                isInProfile = false
                do {
                    isInProfile = try Self.profileName(of: line, number: number) == profile
                } catch {
                    unreadableHeader = unreadableHeader ?? error
                }
                isPresent = isPresent || isInProfile
            } else if isInProfile {
                guard let equals = line.firstIndex(of: UInt8(ascii: "=")), equals > line.startIndex else {
                    throw Problem(number, "is neither a [profile] nor a \"name = value\"")
                }
                isPresent = true
                let name = String(decoding: line[..<equals].trimmingWhitespace(), as: UTF8.self).lowercased()
                try keep(line[line.index(after: equals)...], as: name, number: number)
            }
        }
        // It may have been meant as the header of this profile.
        if !isPresent, let unreadableHeader { throw unreadableHeader }
    }

    /// Both values; nil if the profile is missing or has neither.
    ///
    /// - Throws: `KMSError` that says which value is missing, or in which line a value can't be used.
    func credentials(source: CredentialSource) throws(KMSError) -> Credentials? {
        switch (accessKey, secret) {
        case (nil, nil): return nil
        case (_?, nil): throw .credentialsUnusable("\(source) has \(Self.accessKeyName) but no \(Self.secretKeyName)")
        case (nil, _?): throw .credentialsUnusable("\(source) has \(Self.secretKeyName) but no \(Self.accessKeyName)")
        case (let accessKey?, let secret?):
            do {
                return try Credentials(
                    accessKeyID: accessKey.value.withBytes { String(decoding: $0, as: UTF8.self) },
                    secretAccessKey: secret.value, source: source)
            } catch {
                let (name, line) =
                    error.name == "accessKeyID"
                    ? (Self.accessKeyName, accessKey.line) : (Self.secretKeyName, secret.line)
                throw .credentialsUnusable("\(source), line \(line): \(name) \(error.problem)")
            }
        }
    }

    /// Whether the profile exists, with or without keys.
    var hasProfile: Bool { isPresent }

    private static func profileName(
        of line: Slice<UnsafeBufferPointer<UInt8>>, number: Int
    ) throws(Problem) -> String {
        guard let end = line.firstIndex(of: UInt8(ascii: "]")) else {
            throw Problem(number, "has an unclosed profile name")
        }
        let rest = line[line.index(after: end)...].trimmingWhitespace()
        guard rest.first.map({ $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: ";") }) ?? true else {
            throw Problem(number, "has text after the profile name")
        }
        let name = line[..<end].dropFirst().trimmingWhitespace()
        guard !name.isEmpty else { throw Problem(number, "has an empty profile name") }
        return String(decoding: name, as: UTF8.self)
    }

    private mutating func keep(
        _ rawValue: Slice<UnsafeBufferPointer<UInt8>>, as name: String, number: Int
    ) throws(Problem) {
        let slot: WritableKeyPath<ProfileFile, Entry?>
        switch name {
        case Self.accessKeyName: slot = \.accessKey
        case Self.secretKeyName: slot = \.secret
        default: return
        }
        if let earlier = self[keyPath: slot] {
            throw Problem(number, "sets \(name) again after line \(earlier.line)")
        }
        let value = Self.unquoted(rawValue.trimmingWhitespace())
        // As in a template: the same as a missing line.
        guard !value.isEmpty else { return }
        self[keyPath: slot] = Entry(line: number, value: SecretBytes(value))
    }

    private static func unquoted(_ value: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
        guard value.count >= 2, let quote = value.first, quote == value.last,
            quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
        else { return value }
        return value.dropFirst().dropLast()
    }
}
