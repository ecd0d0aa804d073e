import JSON

/// What Get Public Key is asked with.
package struct PublicKeyRequest: Hashable, Sendable {
    package let keyTag: KeyTag

    /// Nil asks for the latest.
    package let version: KeyVersion?

    package init(keyTag: KeyTag, version: KeyVersion?) {
        self.keyTag = keyTag
        self.version = version
    }

    private static let emptyBody = Array("{}".utf8)

    package static let method = "POST"

    /// The request target: the part of the URL after the endpoint, and the part of the request that is signed.
    package var target: String { "/kms/v1/keys/\(keyTag.text)/get-pub-key" }

    /// The JSON body; an empty object when there is no version.
    package var body: [UInt8] {
        guard let version else { return Self.emptyBody }
        var json = JSONWriter()
        json.object { object in
            object.member("keyVersion", version.number)
        }
        return json.bytes
    }
}
