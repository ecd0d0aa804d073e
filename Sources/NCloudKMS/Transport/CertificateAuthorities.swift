import KMSPlatform

/// The certificate authorities for checking the connections of a `CurlMulti`: those in a file, which we read ourselves,
/// and again when it changes, or those in the system's folder.
final class CertificateAuthorities {
    /// Twice the size of a large bundle; a system's has 0.2 MiB. Parsing blocks the loop: 1 MiB takes 0.13 to 0.4 s,
    /// and 2 MiB up to 1.2 s, because OpenSSL sorts its list for each certificate.
    static let maximumFileBytes = 1 << 20

    /// The current authorities.
    enum Trust {
        /// A folder of certificates that are named by hashes; OpenSSL searches it for each connection.
        case folder(String)
        case store(TrustStore)
        /// None, so no server is trusted.
        case unusable(Problem)
    }

    /// Why there are no authorities.
    struct Problem: Hashable, Sendable {
        /// The rest of a sentence that begins with "it is not trusted: ".
        var text: String { advice.map { "\(cause); \($0)" } ?? cause }
        /// Whether there were no descriptors left to read the file.
        let isLackOfDescriptors: Bool

        private let cause: String
        /// Nil if there is nothing to correct, or if the cause already says so.
        private let advice: String?

        fileprivate init(_ cause: String, advice: String?, isLackOfDescriptors: Bool = false) {
            self.cause = cause
            self.advice = advice
            self.isLackOfDescriptors = isLackOfDescriptors
        }
    }

    private struct Reading {
        let stamp: FileStamp
        let trust: Trust
    }

    private let folder: String?
    private let file: CertificateFile?
    private var reading: Reading?
    /// Increases whenever `current` returns something different.
    private(set) var generation = 0

    /// - Parameters:
    ///   - file: nil: the system's.
    init(file: CertificateFile?, system: SystemAuthorities) {
        folder = file == nil ? system.usableFolder : nil
        self.file = file ?? system.file.map { CertificateFile(path: $0, name: "the system's") }
    }

    /// The authorities for the next connection. The file is checked, and read if it has changed.
    func current() -> Trust {
        if let folder { return .folder(folder) }
        guard let file else { return changed(to: .unusable(.none)) }
        if let reading, reading.stamp == FileStamp(ofFile: file.path) { return reading.trust }
        reading = nil
        do {
            let opened = try RegularFile(opening: file.path)
            let (trust, isLasting) = try Self.trust(in: opened, file)
            if isLasting { reading = Reading(stamp: opened.stamp, trust: trust) }
            return changed(to: trust)
        } catch {
            return changed(to: .unusable(Problem(file, error)))
        }
    }

    /// The authorities in words, for people.
    ///
    /// - Throws: `KMSError`, 1011, if no server is trusted.
    func inWords() throws(KMSError) -> String {
        switch current() {
        case .folder(let path): return "those of the system, in \(path.excerpt)"
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

    /// - Returns: the file's authorities, and whether they stay valid until the file changes.
    /// - Throws: if reading failed for a reason that may be temporary.
    private static func trust(
        in opened: borrowing RegularFile, _ file: CertificateFile
    ) throws(RegularFile.Problem) -> (trust: Trust, isLasting: Bool) {
        let contents: [UInt8]
        do {
            contents = try opened.contents(maximumBytes: maximumFileBytes)
        } catch .system(let error) where error.errorNumber == EFBIG {
            return (.unusable(Problem(file, .system(error))), true)
        }
        do {
            return (.store(try TrustStore(contents)), true)
        } catch {
            return (.unusable(Problem(file, error)), error != .outOfMemory)
        }
    }
}

extension CertificateAuthorities.Problem {
    fileprivate static let none = Self(
        "there are no certificate authorities on this machine",
        advice: "install them (ca-certificates), or specify a file")

    /// What to do about the file, and that nothing else is needed.
    private static let correction = "correct the file, which is read again when it changes"

    fileprivate init(_ file: CertificateFile, _ problem: RegularFile.Problem) {
        let name = "the file of certificate authorities \(file)"
        switch problem {
        case .system(let error) where error.errorNumber == EFBIG:
            self.init(
                "\(name) is larger than \(CertificateAuthorities.maximumFileBytes >> 20) MiB", advice: Self.correction)
        case .system(let error):
            let isLackOfDescriptors = [EMFILE, ENFILE].contains(error.errorNumber)
            self.init(
                "\(name) can't be read: \(PlatformError.text(of: error.errorNumber))",
                advice: isLackOfDescriptors || error.errorNumber == ENOMEM ? nil : Self.correction,
                isLackOfDescriptors: isLackOfDescriptors)
        case .notRegular:
            self.init("\(name) can't be used: \(problem)", advice: Self.correction)
        }
    }

    fileprivate init(_ file: CertificateFile, _ problem: TrustStore.Problem) {
        let name = "the file of certificate authorities \(file)"
        switch problem {
        case .empty: self.init("\(name) is empty", advice: Self.correction)
        case .isDER:
            self.init(
                "\(name) is in DER form",
                advice: "convert it to PEM: openssl x509 -inform DER -in \(file.path.excerpt) -out NEW-FILE")
        case .hasNoCertificate:
            self.init(
                "\(name) contains no certificate in PEM form (-----BEGIN CERTIFICATE-----)", advice: Self.correction)
        case .hasDamagedCertificate:
            self.init("\(name) contains a certificate that can't be parsed", advice: Self.correction)
        case .outOfMemory: self.init("not enough memory for \(name)", advice: nil)
        }
    }
}

/// A file of certificate authorities in PEM form.
public struct CertificateFile: Hashable, Sendable, CustomStringConvertible {
    /// The path of the file.
    public let path: String
    /// The setting that named the file, such as a variable, for errors.
    package let name: String?

    /// Names a file, which is read when the first connection is made.
    ///
    /// - Parameter path: absolute, or relative to the working directory.
    public init(path: String) {
        self.init(path: path, name: nil)
    }

    package init(path: String, name: String?) {
        self.path = path
        self.name = name
    }

    /// The path, and the name of the setting that it came from, if there is one.
    public var description: String { name.map { "\(path.excerpt) (\($0))" } ?? path.excerpt }
}

/// Where the system keeps its trusted authorities.
struct SystemAuthorities: Sendable, Equatable {
    var folder: String?
    var file: String?

    /// The folder, if OpenSSL finds certificates in it: those named by hashes, such as `5ed36f99.0`.
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
