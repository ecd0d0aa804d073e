import COpenSSL
import Platform

/// The file of the certificate authorities that every connection of a `CurlMulti` is checked with.
final class CertificateAuthorities {
    /// Reading a system's bundle takes up to 30 ms of the thread that serves all transfers.
    private static let verdictLife = Duration.seconds(1)

    /// Nil if libcurl was built without one and none was given.
    let path: String?
    private let clock: any TimeSource
    private var verdict: (isSound: Bool, at: Instant)?

    init(path: String?, clock: any TimeSource) {
        self.path = path
        self.clock = clock
    }

    /// Whether the file can be read and understood, now or a second ago.
    var areSound: Bool {
        let now = clock.now
        if let verdict, now - verdict.at < Self.verdictLife { return verdict.isSound }
        let isSound = load()
        verdict = (isSound, now)
        return isSound
    }

    private func load() -> Bool {
        guard let path, let store = X509_STORE_new() else { return false }
        defer { X509_STORE_free(store) }
        guard X509_STORE_load_file(store, path) == 1 else {
            ERR_clear_error()
            return false
        }
        return true
    }
}
