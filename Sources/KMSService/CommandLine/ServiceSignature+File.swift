import NCloudKMS
import Platform

extension ServiceSignature {
    /// A signature out of a file. It is text, Base64 or the service's form, if it can be read so when white space is left
    /// out, as `openssl base64` breaks lines; else it is the signature itself. No real signature looks like Base64: all
    /// of its 64 or more bytes would have to be among the 64 characters, one in four each.
    ///
    /// - Throws: `InvalidValue` for a file that begins like the service's form and does not go on so.
    package init(file: [UInt8]) throws(InvalidValue) {
        let characters = file.filter { !$0.isASCIIWhitespace }
        let text = String(decoding: characters, as: UTF8.self)
        if Self.hasServicePrefix(text) {
            try self.init(text)
        } else if !characters.isEmpty, let read = try? ServiceSignature(text) {
            self = read
        } else {
            self.init(bytes: file, version: nil)
        }
    }
}
