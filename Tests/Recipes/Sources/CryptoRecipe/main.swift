// Signatures verified by swift-crypto with keys of the service. CryptoKit has the same types on Apple's systems.
import Crypto
import CryptoExtras
import Foundation
import NCloudKMS
import NCloudKMSTesting

struct WrongAnswer: Error {}

let ecSigner = P256.Signing.PrivateKey()
let rsaSigner = try _RSA.Signing.PrivateKey(keySize: .bits2048)
let kms = try EmulatedKMS(keys: [
    EmulatedKey("ec", .ecdsa, publicKeyPEM: ecSigner.publicKey.pemRepresentation),
    EmulatedKey("rsa", .rsa2048, publicKeyPEM: rsaSigner.publicKey.pemRepresentation),
])
let client = try KMSClient(kms.configuration())
let message = Data("a message".utf8)

// P-256: by PEM, or by the point.
let ec = try await client.publicKey(for: KeyTag("ec")).key
let ecSignature = try ecSigner.signature(for: message)
let p256 = try P256.Signing.PublicKey(pemRepresentation: ec.spkiPEM)
guard p256.isValidSignature(ecSignature, for: message), let point = ec.x963,
    try P256.Signing.PublicKey(x963Representation: point).isValidSignature(ecSignature, for: message)
else { throw WrongAnswer() }

// RSA: by PEM, or by DER.
let rsa = try await client.publicKey(for: KeyTag("rsa")).key
let rsaSignature = try rsaSigner.signature(for: message, padding: .PSS)
guard
    try _RSA.Signing.PublicKey(pemRepresentation: rsa.spkiPEM)
        .isValidSignature(rsaSignature, for: message, padding: .PSS),
    try _RSA.Signing.PublicKey(derRepresentation: rsa.spki)
        .isValidSignature(rsaSignature, for: message, padding: .PSS)
else { throw WrongAnswer() }

// The same without swift-crypto: the client verifies, too.
let verdict = try await client.verify(
    ServiceSignature(bytes: Array(ecSignature.derRepresentation)), of: .data(Array(message)), by: KeyTag("ec"),
    algorithm: .es256)
guard verdict.isValid else { throw WrongAnswer() }

// An error is readable with Foundation, too, where its static type is known.
do throws(KMSError) {
    _ = try await client.publicKey(PublicKeyQuery(keyTag: verdict.key.keyTag, maxAge: .zero, timeout: .zero))
    throw KMSError(.internalError, "A call without time has succeeded.")
} catch {
    guard error.code == .deadlineExceeded, error.localizedDescription.contains(error.message) else { throw error }
}

await client.shutdown()
kms.stop()
print("swift-crypto accepts the keys")
