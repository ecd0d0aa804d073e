import CKMSOpenSSL
import KMSPlatform

/// The emulator's TLS identity: a certificate for the names that its clients may use, and the certificate of the
/// authority that signed it. Both are made at every start. The authority's private key is discarded, so it is safe to
/// trust the authority.
struct ServerCertificate {
    /// The authority's certificate, which a client must trust, as PEM.
    let authorityPEM: String
    /// The server's certificate, as PEM.
    let certificatePEM: String
    /// The private key of the server's certificate, as PEM.
    let privateKeyPEM: String

    struct Failure: Error, CustomStringConvertible {
        let description = "OpenSSL could not make the certificate"
    }

    /// Longer than any emulator runs, and less than the 398 days that some clients accept.
    private static let validSeconds = 365 * 24 * 60 * 60
    /// Clients whose clocks are slow by less than this can still connect.
    private static let backdatedSeconds = 24 * 60 * 60

    /// - Parameter names: at least one.
    init(names: [SubjectName]) throws(Failure) {
        guard let authorityKey = PrivateKey.p256(), let serverKey = PrivateKey.p256() else { throw Failure() }

        let authority = try Self.certificate(
            name: "ncloud-kms-emulator CA", key: authorityKey, issuer: nil, signedBy: authorityKey,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ])
        defer { X509_free(authority) }
        let server = try Self.certificate(
            name: "localhost", key: serverKey, issuer: authority, signedBy: authorityKey,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth"),
                (NID_subject_alt_name, names.map(\.openSSLText).joined(separator: ",")),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
            ])
        defer { X509_free(server) }

        guard let authorityPEM = PEM.text({ PEM_write_bio_X509($0, authority) }),
            let certificatePEM = PEM.text({ PEM_write_bio_X509($0, server) }),
            let privateKeyPEM = serverKey.privatePEM
        else { throw Failure() }
        self.authorityPEM = authorityPEM
        self.certificatePEM = certificatePEM
        self.privateKeyPEM = privateKeyPEM
    }

    /// - Parameter issuer: nil for a self-signed certificate.
    private static func certificate(
        name: String, key: borrowing PrivateKey, issuer: OpaquePointer?, signedBy signer: borrowing PrivateKey,
        extensions: [(kind: Int32, value: String)]
    ) throws(Failure) -> OpaquePointer {
        guard let certificate = X509_new() else { throw Failure() }
        guard fill(certificate, name: name, key: key.pointer, issuer: issuer ?? certificate, extensions: extensions),
            X509_sign(certificate, signer.pointer, EVP_sha256()) > 0
        else {
            X509_free(certificate)
            throw Failure()
        }
        return certificate
    }

    private static func fill(
        _ certificate: OpaquePointer, name: String, key: OpaquePointer, issuer: OpaquePointer,
        extensions: [(kind: Int32, value: String)]
    ) -> Bool {
        // Random, so that clients that remember certificates never see one serial number with two contents.
        let serial = Int64.random(in: 1...Int64.max)
        let version3 = 2
        guard X509_set_version(certificate, version3) == 1,
            ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial) == 1,
            X509_gmtime_adj(X509_getm_notBefore(certificate), -backdatedSeconds) != nil,
            X509_gmtime_adj(X509_getm_notAfter(certificate), validSeconds) != nil,
            X509_set_pubkey(certificate, key) == 1,
            X509_NAME_add_entry_by_txt(
                X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1,
            X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1
        else { return false }

        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
        for (kind, value) in extensions {
            guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else { return false }
            defer { X509_EXTENSION_free(made) }
            guard X509_add_ext(certificate, made, -1) == 1 else { return false }
        }
        return true
    }
}

/// A host that a certificate is valid for (RFC 5280, section 4.2.1.6).
package enum SubjectName: Sendable, Hashable {
    case dns(String)
    case address(IPAddress)

    /// Parses an IP address, or a host name: labels of letters, digits, hyphens and underscores, at most 253 bytes; the
    /// first label may be `*`. Nil for anything else.
    package init?(_ text: String) {
        if let address = IPAddress(text) {
            self = .address(address)
            return
        }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isWildcard = labels.count > 1 && labels[0] == "*"
        guard (1...253).contains(text.utf8.count), (isWildcard ? labels[1...] : labels[...]).allSatisfy(Self.isLabel)
        else { return nil }
        // An all-numeric name would be an IP address, and this is not a valid one.
        guard !labels.allSatisfy({ $0.utf8.allSatisfy(\.isASCIIDigit) }) else { return nil }
        self = .dns(text)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { byte in
                byte.isASCIILetterOrDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    /// In the syntax of OpenSSL's configuration files.
    var openSSLText: String {
        switch self {
        case .dns(let name): "DNS:\(name)"
        case .address(let address): "IP:\(address)"
        }
    }

    /// The names for a server that listens on an address: always those of the loopback interface; the address itself,
    /// or all addresses of this machine if it listens on all; and the machine's host name if others can reach it.
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
    /// Without duplicates, in the same order.
    var unique: [SubjectName] {
        var seen: Set<SubjectName> = []
        return filter { seen.insert($0).inserted }
    }
}
