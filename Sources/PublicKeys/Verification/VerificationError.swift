/// Why a signature could not be checked. A signature that is wrong in any way is no error: the answer is `false`.
public enum VerificationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The algorithm needs a key of another type or on another curve.
    case algorithmDoesNotFitKey(SignatureAlgorithm, keyType: PublicKey.KeyType, curve: Curve?)
    /// The digest is not as long as its hash makes them.
    case wrongDigestLength(SignatureAlgorithm, count: Int)
    /// OpenSSL refused to begin, for want of memory or by its configuration; the signature was not looked at.
    case unavailable

    /// A stable name for programs: that of the case.
    public var name: String {
        switch self {
        case .algorithmDoesNotFitKey: "algorithmDoesNotFitKey"
        case .wrongDigestLength: "wrongDigestLength"
        case .unavailable: "unavailable"
        }
    }

    public var description: String {
        switch self {
        case .algorithmDoesNotFitKey(let algorithm, let keyType, let curve):
            "\(algorithm.rawValue) does not fit an \(keyType.rawValue) key" + (curve.map { " on \($0.rawValue)" } ?? "")
        case .wrongDigestLength(let algorithm, let count):
            "a digest for \(algorithm.rawValue) has \(algorithm.digestCount) bytes, not \(count)"
        case .unavailable: "OpenSSL could not begin to verify a signature"
        }
    }
}
