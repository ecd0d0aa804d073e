import JSON
import NCloudKMS
import Platform
import PublicKeys

/// What a file holds that is said to be a signature.
///
/// It is text, Base64 or the service's form, if it can be read so when the ends of lines are left out, as `openssl base64`
/// breaks lines; else it is the signature itself. No real signature looks like Base64: all of its 64 or more bytes would
/// have to be among the 64 characters, one in four each.
package struct SignatureFile: Sendable {
    package let signature: ServiceSignature
    /// Hexadecimal digits alone. A signature in Base64 has other characters, too.
    private let looksHexadecimal: Bool

    /// - Throws: `InvalidValue` for a file that begins like the service's form and does not go on so.
    package init(_ contents: [UInt8]) throws(InvalidValue) {
        // A byte order mark is no part of a text; bytes that begin like one stay as they are.
        let lines = contents.droppingByteOrderMark().split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        let characters = Array(lines.map { $0.trimmingWhitespace() }.joined())
        looksHexadecimal = characters.allSatisfy { $0.hexDigitValue != nil }
        let text = String(decoding: characters, as: UTF8.self)
        if ServiceSignature.hasServicePrefix(text) {
            signature = try ServiceSignature(text, decoding: Base64.decodeAnyAlphabet)
        } else if !characters.isEmpty, let read = try? ServiceSignature(text, decoding: Base64.decodeAnyAlphabet) {
            signature = read
        } else {
            signature = ServiceSignature(bytes: contents, version: nil)
        }
    }

    /// Whether a signature by some key could look like this. What can't is not a signature that is not valid, but the
    /// wrong file, or a form that is not known.
    package func canBeSignature(by algorithm: SignatureAlgorithm) -> Bool {
        !looksHexadecimal && algorithm.canBeSignature(signature.bytes)
    }
}
