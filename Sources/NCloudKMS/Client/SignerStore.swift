import Platform

/// The credentials in use, and the signer that was keyed with them.
struct SignerStore {
    var chain: CredentialChain
    private var signer: (identity: CredentialIdentity, value: RequestSigner)?

    init(_ authentication: KMSClientConfiguration.Authentication) {
        chain =
            switch authentication {
            case .lookup(let lookup): CredentialChain(lookup)
            case .credentials(let credentials): CredentialChain(credentials)
            }
    }

    /// The signer for credentials; keyed once for each.
    mutating func signer(for credentials: Credentials) throws(KMSError) -> RequestSigner {
        if let signer, signer.identity == credentials.identity { return signer.value }
        let value = try RequestSigner(credentials)
        signer = (credentials.identity, value)
        return value
    }
}
