import KMSJSON
import KMSPlatform
import KMSPublicKeys

/// The answer of the plugin: a JSON object with one member, which has the method's name or is `errorMessage`.
package struct SigstoreAnswer {
    let outcome: Result<SigstoreResult, SigstoreError>

    package var bytes: [UInt8] {
        var json = JSONWriter()
        json.object { object in
            switch outcome {
            case .success(let result): object.member(named: result.method.rawValue, result)
            case .failure(let error): object.member("errorMessage", error.message)
            }
        }
        return json.bytes
    }

    /// For scripts; sigstore's clients look only at the object.
    package var status: ExitStatus {
        switch outcome {
        case .success: .success
        case .failure: .negative
        }
    }
}

/// The result of a call.
enum SigstoreResult {
    case defaultAlgorithm
    case supportedAlgorithms
    /// Of `publicKey` or `createKey`.
    case key(SigstoreMethod, PublicKey)
    /// The signature is valid.
    case valid

    var method: SigstoreMethod {
        switch self {
        case .defaultAlgorithm: .defaultAlgorithm
        case .supportedAlgorithms: .supportedAlgorithms
        case .key(let method, _): method
        case .valid: .verifySignature
        }
    }
}

extension SigstoreResult: JSONWritable {
    func write(to json: inout JSONWriter) {
        json.object { result in
            switch self {
            case .defaultAlgorithm: result.member("defaultAlgorithm", SigstoreAlgorithm.default.rawValue)
            case .supportedAlgorithms:
                result.member("supportedAlgorithms") { member in
                    member.array { array in
                        for algorithm in SigstoreAlgorithm.allCases { array.value(algorithm.rawValue) }
                    }
                }
            // Go encodes bytes in JSON as Base64.
            case .key(_, let key): result.member("publicKeyPEM", Base64.encode(Array(key.spkiPEM.utf8)))
            case .valid: break
            }
        }
    }
}
