import CKMSLibcurl
import CKMSOpenSSL

/// This process's libcurl, initialised once and checked to be suitable for the transport.
package struct CurlEnvironment: Sendable {
    /// The installed libcurl is unsuitable; another one must be installed.
    package struct Unfit: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// What libcurl reports about itself.
    package struct Facts: Sendable, Equatable {
        package var version: String
        /// As in `LIBCURL_VERSION_NUM`: `0xXXYYZZ`.
        package var number: UInt32
        /// `OpenSSL/3.0.22`; empty without TLS.
        package var tls: String
        /// The bits `CURL_VERSION_…`.
        package var features: Int32
    }

    /// 7.87 is the first version that can abandon a name lookup without waiting for it (`CURLOPT_QUICK_EXIT`).
    package static let oldestNumber: UInt32 = 0x07_57_00

    package let facts: Facts
    /// The certificate authorities that libcurl was built to use.
    let systemAuthorities: SystemAuthorities

    /// `libcurl 7.88.1, OpenSSL 3.0.22`: for `doctor` and logs.
    package var versions: String {
        "libcurl \(facts.version), " + facts.tls.split(separator: "/", maxSplits: 1).joined(separator: " ")
    }

    /// The loaded libcurl and its TLS library, each with its version, even if they can't be used.
    package static var loadedVersions: [String] {
        guard let info = curl_version_info(clibcurl_version_now)?.pointee else {
            return ["libcurl of an unknown version"]
        }
        let tls = text(info.ssl_version)
        return ["libcurl \(text(info.version))", tls.isEmpty ? "no TLS" : tls.replacing("/", with: " ")]
    }

    /// Initialises libcurl on the first call.
    ///
    /// - Throws: `Unfit` on every call, if the library can't be used.
    package static func ready() throws(Unfit) -> CurlEnvironment { try outcome.get() }

    private static let outcome = Result { () throws(Unfit) in try CurlEnvironment() }

    private init() throws(Unfit) {
        // Otherwise OpenSSL frees its tables when the process exits, while a client's loop or a verification on another
        // thread may still use them. It takes effect only before anything else has initialised OpenSSL; nothing can be
        // done about a failure.
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
        let code = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard code == CURLE_OK else {
            throw Unfit(description: "libcurl could not be initialised: \(String(cString: curl_easy_strerror(code))).")
        }
        guard let info = curl_version_info(clibcurl_version_now)?.pointee else {
            throw Unfit(description: "libcurl does not report its version.")
        }
        facts = Facts(
            version: Self.text(info.version), number: info.version_num, tls: Self.text(info.ssl_version),
            features: info.features)
        try Self.check(facts)
        systemAuthorities = SystemAuthorities(
            folder: info.capath.map { String(cString: $0) }, file: info.cainfo.map { String(cString: $0) })
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

    /// Checks whether a libcurl is suitable; each refusal says what to install.
    package static func check(_ facts: Facts) throws(Unfit) {
        guard facts.number >= oldestNumber else {
            throw Unfit(description: "libcurl \(facts.version) is too old; install 7.87 or newer.")
        }
        guard facts.tls.hasPrefix("OpenSSL/") else {
            let flavour = facts.tls.isEmpty ? "without TLS" : "with \(facts.tls)"
            throw Unfit(description: "libcurl was built \(flavour); install the OpenSSL build (Debian: libcurl4).")
        }
        guard facts.features & CURL_VERSION_THREADSAFE != 0 else {
            throw Unfit(description: "libcurl \(facts.version) is not thread-safe; install one that is.")
        }
        guard facts.features & CURL_VERSION_ASYNCHDNS != 0 else {
            throw Unfit(
                description: "libcurl \(facts.version) blocks while it looks up names; "
                    + "install one with an asynchronous resolver.")
        }
    }
}
