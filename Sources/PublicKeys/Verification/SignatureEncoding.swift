/// How the two numbers of an ECDSA signature are written. An RSA signature is one number and has one form.
public enum SignatureEncoding: String, CaseIterable, Sendable {
    /// ASN.1 DER: Ecdsa-Sig-Value (RFC 3279, section 2.2.3).
    case der
    /// `r` and `s` one after the other, each at the full width of the curve's order (IEEE P1363; RFC 7518,
    /// section 3.4).
    case p1363
}
