import KMSPlatform
import KMSPublicKeys
import NCloudKMS

/// The key of a call. `keyResourceID` is `KEYTAG` or `KEYTAG/versions/N`, the part of the key's URL after `ncloud://`.
struct SigstoreKey: Equatable {
    let keyTag: KeyTag
    /// Nil is the latest.
    let version: KeyVersion?

    init(_ arguments: SigstoreArguments) throws(SigstoreError) {
        let parts = try Self.resource(of: arguments).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 1 || (parts.count == 3 && parts[1] == "versions") else {
            throw SigstoreError("keyResourceID must be KEYTAG or KEYTAG/versions/N")
        }
        do {
            keyTag = try KeyTag(String(parts[0]))
        } catch {
            throw SigstoreError("the key tag in keyResourceID \(error.problem)")
        }
        let named = parts.count == 3 ? try Self.version(parts[2], of: "keyResourceID") : nil
        let asked = try Self.optionalVersion(of: arguments)
        if let named, let asked, named != asked {
            throw SigstoreError("keyResourceID names version \(named) of the key, but keyVersion is \(asked)")
        }
        version = named ?? asked
    }

    /// `keyResourceID`, which is required for every call.
    static func resource(of arguments: SigstoreArguments) throws(SigstoreError) -> String {
        guard let resource = try arguments.initOptions.string("keyResourceID"), !resource.isEmpty else {
            throw SigstoreError("keyResourceID is missing: KEYTAG or KEYTAG/versions/N")
        }
        return resource
    }

    /// The method's version, or else that of `initOptions`. Go writes an empty string for none.
    private static func optionalVersion(of arguments: SigstoreArguments) throws(SigstoreError) -> KeyVersion? {
        for options in try arguments.rpcOptions() {
            guard let text = try options.string("keyVersion"), !text.isEmpty else { continue }
            return try version(text, of: "keyVersion")
        }
        return nil
    }

    private static func version(
        _ text: some StringProtocol, of name: String
    ) throws(SigstoreError) -> KeyVersion {
        guard let version = KeyVersion(digits: text) else {
            throw SigstoreError(
                "the version in \(name) must be a whole number from \(KeyVersion.range.lowerBound) to "
                    + "\(KeyVersion.range.upperBound)")
        }
        return version
    }
}

/// The algorithms of new keys that the plugin offers, under sigstore's names.
enum SigstoreAlgorithm: String, CaseIterable {
    case rsa2048 = "rsa-2048"
    case p256 = "ecdsa-p256-sha256"

    static let `default` = rsa2048

    static var names: String { allCases.map(\.rawValue).joined(separator: " and ") }

    func fits(_ key: PublicKey) -> Bool {
        switch self {
        case .rsa2048: key.keyType == .rsa && key.keySize == 2_048
        case .p256: key.curve == .p256
        }
    }
}
