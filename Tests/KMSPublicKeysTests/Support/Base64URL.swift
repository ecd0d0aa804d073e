import KMSPlatform
import Testing

/// The bytes of a Base64url text as RFCs print them.
func decodeBase64URL(_ text: String) throws -> [UInt8] {
    let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    return try #require(Base64.decode(text.replacing("-", with: "+").replacing("_", with: "/") + padding))
}
