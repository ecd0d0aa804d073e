import Platform

/// The certificate authorities that the connections of a `CurlMulti` are checked with: those of a file, read by ourselves
/// and again when it has changed, or those of the system's folder.
final class CertificateAuthorities {
    /// Larger than any bundle; more is a mistake in the path.
    static let maximumFileBytes = 16 << 20

    /// What connections are checked with now.
    enum Trust {
        /// A folder of certificates that are named by hashes, which OpenSSL looks into for each connection.
        case folder(String)
        case store(TrustStore)
        /// Nothing, so no server is trusted.
        case unusable(Problem)
    }

    /// Why there are no authorities.
    struct Problem: Hashable, Sendable {
        /// The rest of a sentence that begins with "it is not trusted: ".
        let text: String
        /// There were no descriptors left to read the file with.
        let isLackOfDescriptors: Bool
    }

    private struct Reading {
        let stamp: FileStamp
        let trust: Trust
    }

    private let folder: String?
    private let file: CertificateFile?
    private var reading: Reading?
    /// Grows whenever `current` gives something else than before.
    private(set) var generation = 0

    /// - Parameters:
    ///   - file: nil: the system's.
    init(file: CertificateFile?, system: SystemAuthorities) {
        folder = file == nil ? system.usableFolder : nil
        self.file = file ?? system.file.map { CertificateFile(path: $0, name: "the system's") }
    }

    /// What to check the next connection with. The file is looked at, and read if it has changed.
    func current() -> Trust {
        if let folder { return .folder(folder) }
        guard let file else { return changed(to: .unusable(.none)) }
        if let reading, reading.stamp == FileStamp(ofFile: file.path) { return reading.trust }
        reading = nil
        do {
            let opened = try RegularFile(opening: file.path)
            let trust = Self.trust(in: try opened.contents(maximumBytes: Self.maximumFileBytes), of: file)
            reading = Reading(stamp: opened.stamp, trust: trust)
            return changed(to: trust)
        } catch {
            return changed(to: .unusable(Problem(file, error)))
        }
    }

    /// The same in words, for people.
    ///
    /// - Throws: `KMSError`, 1011, if no server is trusted.
    func inWords() throws(KMSError) -> String {
        switch current() {
        case .folder(let path): return "those of the system, in \(path)"
        case .store(let store):
            let count = store.count == 1 ? "one certificate" : "\(store.count) certificates"
            return "\(count) in \(file.map { "\($0)" } ?? "")"
        case .unusable(let problem):
            throw KMSError(.untrustedService, "No server is trusted: \(problem.text).")
        }
    }

    private func changed(to trust: Trust) -> Trust {
        generation += 1
        return trust
    }

    private static func trust(in contents: [UInt8], of file: CertificateFile) -> Trust {
        do {
            return .store(try TrustStore(contents))
        } catch {
            return .unusable(Problem(file, error))
        }
    }
}

extension CertificateAuthorities.Problem {
    fileprivate static let none = Self(text: "there are no certificate authorities on this machine", false)

    fileprivate init(text: String, _ isLackOfDescriptors: Bool) {
        self.text = text
        self.isLackOfDescriptors = isLackOfDescriptors
    }

    fileprivate init(_ file: CertificateFile, _ problem: RegularFile.Problem) {
        let file = "the file of certificate authorities \(file)"
        switch problem {
        case .system(let error) where error.errorNumber == EFBIG:
            self.init(text: "\(file) is larger than \(CertificateAuthorities.maximumFileBytes >> 20) MiB", false)
        case .system(let error):
            self.init(
                text: "\(file) can't be read: \(PlatformError.text(of: error.errorNumber))",
                [EMFILE, ENFILE].contains(error.errorNumber))
        case .notRegular:
            self.init(text: "\(file) can't be used: \(problem)", false)
        }
    }

    fileprivate init(_ file: CertificateFile, _ problem: TrustStore.Problem) {
        let name = "the file of certificate authorities \(file)"
        let text =
            switch problem {
            case .empty: "\(name) is empty"
            case .isDER:
                "\(name) is in DER form; convert it to PEM: openssl x509 -inform DER -in \(file.path) -out NEW-FILE"
            case .hasNoCertificate: "\(name) holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
            case .hasDamagedCertificate: "\(name) holds a certificate that can't be read"
            case .outOfMemory: "there was no memory for \(name)"
            }
        self.init(text: text, false)
    }
}

/// A file of certificate authorities in PEM form.
public struct CertificateFile: Hashable, Sendable, CustomStringConvertible {
    public let path: String
    /// What named the file, for errors: a flag, a variable.
    public let name: String?

    public init(path: String, name: String? = nil) {
        self.path = path
        self.name = name
    }

    /// The path, and what named it.
    public var description: String { name.map { "\(path) (\($0))" } ?? path }
}

/// Where the system keeps the authorities that it trusts.
struct SystemAuthorities: Sendable, Equatable {
    var folder: String?
    var file: String?

    /// The folder, if OpenSSL finds certificates in it: those whose names are hashes, such as `5ed36f99.0`.
    fileprivate var usableFolder: String? {
        guard let folder, let entries = opendir(folder) else { return nil }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let isHash = withUnsafeBytes(of: &entry.pointee.d_name) { name in
                name.count > 10 && name[8] == UInt8(ascii: ".") && name[9].isASCIIDigit
                    && name.prefix(8).allSatisfy { $0.hexDigitValue != nil }
            }
            if isHash { return folder }
        }
        return nil
    }
}
