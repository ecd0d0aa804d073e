// JWTs verified by JWTKit with keys of the service.
import JWTKit
import NCloudKMS
import NCloudKMSTesting

struct Claims: JWTPayload {
    let sub: SubjectClaim

    func verify(using _: some JWTAlgorithm) async throws {}
}

struct WrongAnswer: Error {}

// Who issues the tokens.
let ecIssuer = ES256PrivateKey()
let issuer = await JWTKeyCollection().add(ecdsa: ecIssuer)
let kms = try EmulatedKMS(keys: [EmulatedKey("ec", .ecdsa, publicKeyPEM: ecIssuer.publicKey.pemRepresentation)])
let client = try KMSClient(kms.configuration())

// Who checks them: a collection of the keys that are trusted, each by its thumbprint.
let key = try await client.publicKey(for: KeyTag("ec")).key
let keys = try await JWTKeyCollection().add(jwk: JWK(json: key.jwk))
let header: JWTHeader = ["kid": .string(key.jwkThumbprint)]
let token = try await issuer.sign(Claims(sub: "somebody"), header: header)
let claims = try await keys.verify(token, as: Claims.self)
guard claims.sub.value == "somebody" else { throw WrongAnswer() }

// The same by PEM, as the only key.
let byPEM = try await JWTKeyCollection().add(ecdsa: ES256PublicKey(pem: key.spkiPEM))
_ = try await byPEM.verify(issuer.sign(Claims(sub: "somebody")), as: Claims.self)

// A token of another issuer is refused.
let stranger = await JWTKeyCollection().add(ecdsa: ES256PrivateKey())
do {
    _ = try await byPEM.verify(stranger.sign(Claims(sub: "somebody")), as: Claims.self)
    throw WrongAnswer()
} catch is JWTError {}

await client.shutdown()
kms.stop()
print("JWTKit accepts the keys")
