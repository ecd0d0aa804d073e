import KMSEmulator
import NCloudKMS

/// A key that an emulator serves.
public struct EmulatedKey: Hashable, Sendable {
    /// The kinds of key that the service has.
    public enum KeyType: Hashable, Sendable {
        /// RSA of 2,048 bits, for encryption and signatures.
        case rsa2048
        /// ECDSA on P-256, for signatures.
        case ecdsa
        /// A secret key. It has no public half, so the service refuses requests for it.
        case aes256

        fileprivate var type: Seed.KeyType {
            switch self {
            case .rsa2048: .rsa2048
            case .ecdsa: .ecdsa
            case .aes256: .aes256
            }
        }
    }

    /// One version of a key.
    public struct Version: Hashable, Sendable {
        /// 1–100.
        public var number: Int
        /// The text that the emulator returns as the key: PEM, or garbage to test with. Nil for a key without a public half.
        public var publicKeyPEM: String?
        /// A disabled version is refused.
        public var isEnabled: Bool

        /// Creates a version.
        public init(_ number: Int, publicKeyPEM: String?, isEnabled: Bool = true) {
            self.number = number
            self.publicKeyPEM = publicKeyPEM
            self.isEnabled = isEnabled
        }
    }

    /// The tag that clients ask for.
    public var keyTag: String
    /// The kind of key.
    public var keyType: KeyType
    /// The last one is the latest.
    public var versions: [Version]
    /// A disabled key is refused.
    public var isEnabled: Bool

    /// Creates a key with several versions.
    public init(_ keyTag: String, _ keyType: KeyType, versions: [Version], isEnabled: Bool = true) {
        self.keyTag = keyTag
        self.keyType = keyType
        self.versions = versions
        self.isEnabled = isEnabled
    }

    /// Creates a key with one version.
    ///
    /// - Parameters:
    ///   - keyTag: the tag that clients ask for.
    ///   - keyType: the kind of key.
    ///   - publicKeyPEM: the text that is served, such as `P256.Signing.PublicKey.pemRepresentation` of swift-crypto.
    public init(_ keyTag: String, _ keyType: KeyType, publicKeyPEM: String) {
        self.init(keyTag, keyType, versions: [Version(1, publicKeyPEM: publicKeyPEM)])
    }

    /// `demo-rsa` (versions 1 to 3, of which 2 is disabled), `demo-ec` and `demo-aes`, the same on every start.
    public static let demo = Seed.demo.keys.map { key in
        EmulatedKey(
            key.keyTag, key.keyType == .rsa2048 ? .rsa2048 : key.keyType == .ecdsa ? .ecdsa : .aes256,
            versions: key.versions.map { version in
                Version(version.number, publicKeyPEM: version.publicKey, isEnabled: version.status == .enabled)
            })
    }

    var key: Seed.Key {
        Seed.Key(
            keyTag: keyTag, keyType: keyType.type, status: isEnabled ? .enabled : .disabled,
            versions: versions.map { version in
                Seed.Version(
                    version.number, status: version.isEnabled ? .enabled : .disabled, publicKey: version.publicKeyPEM)
            })
    }
}

/// A fault that an emulator injects.
public struct EmulatedFault: Hashable, Sendable, CustomStringConvertible {
    /// The text of the fault.
    public let description: String
    let fault: Fault

    /// Parses a fault in the syntax of `ncloud-kms-emulator --fault`. `ncloud-kms-emulator --help` lists all faults, such as:
    ///
    /// - `status=503`: this status instead of the key.
    /// - `reset`, `close`, `truncate`, `hang`: the connection fails, or no answer arrives.
    /// - `delay=200`: the answer is late, here by 200 milliseconds.
    /// - `skew=+360s`: the service's clock is wrong.
    ///
    /// Each can be limited with `count=N` (the first N requests), `rate=P` (a probability) and `key=TAG`:
    /// `status=503,count=2,key=demo-rsa`.
    ///
    /// - Throws: `InvalidValue` named `fault`.
    public init(_ text: String) throws(InvalidValue) {
        do {
            fault = try Fault(parsing: text)
        } catch {
            throw InvalidValue("fault", "can't be used: \(error)")
        }
        description = text
    }

    /// Whether both have the same text.
    public static func == (left: EmulatedFault, right: EmulatedFault) -> Bool { left.description == right.description }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}
