import COpenSSL
import Platform

/// The emulator's TLS identity: a certificate for the names that its clients may use, and the certificate of the
/// authority that signed it. Both are made at every start, and the authority's key is thrown away, so that a client may
/// trust the authority without a thought.
struct ServerCertificate {
    /// What a client must trust, PEM.
    let authorityPEM: String
    /// The server's certificate, PEM.
    let certificatePEM: String
    /// Its private key, PEM.
    let privateKeyPEM: String

    struct Failure: Error, CustomStringConvertible {
        let description = "OpenSSL could not make the certificate"
    }

    /// Longer than any run of an emulator, shorter than the 398 days that some clients allow at most.
    private static let validSeconds = 365 * 24 * 60 * 60
    /// Clients whose clocks are behind by less can still connect.
    private static let backdatedSeconds = 24 * 60 * 60

    /// - Parameter names: at least one.
    init(names: [SubjectName]) throws(Failure) {
        guard let authorityKey = PrivateKey.p256() else { throw Failure() }
        defer { EVP_PKEY_free(authorityKey) }
        guard let serverKey = PrivateKey.p256() else { throw Failure() }
        defer { EVP_PKEY_free(serverKey) }

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
            let privateKeyPEM = PEM.text({ PEM_write_bio_PrivateKey($0, serverKey, nil, nil, 0, nil, nil) })
        else { throw Failure() }
        self.authorityPEM = authorityPEM
        self.certificatePEM = certificatePEM
        self.privateKeyPEM = privateKeyPEM
    }

    /// - Parameter issuer: nil for a certificate that signs itself.
    private static func certificate(
        name: String, key: OpaquePointer, issuer: OpaquePointer?, signedBy signer: OpaquePointer,
        extensions: [(kind: Int32, value: String)]
    ) throws(Failure) -> OpaquePointer {
        guard let certificate = X509_new() else { throw Failure() }
        guard fill(certificate, name: name, key: key, issuer: issuer ?? certificate, extensions: extensions),
            X509_sign(certificate, signer, EVP_sha256()) > 0
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
        // Random, so that clients which remember certificates never meet one serial number with two contents.
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
