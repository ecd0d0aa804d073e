import COpenSSL

/// Walks over ASN.1 elements that stand one after another, reading their headers with OpenSSL.
struct DERElements {
    struct Element {
        let tag: Int32
        let contents: ArraySlice<UInt8>
    }

    /// What has not been read yet.
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next element if its tag is universal and its length definite and within the bytes; else nil.
    mutating func next() -> Element? {
        let header = rest.withUnsafeBufferPointer { bytes -> (tag: Int32, start: Int, count: Int)? in
            guard let base = bytes.baseAddress else { return nil }
            var next: UnsafePointer<UInt8>? = base
            var (count, tag, tagClass) = (0, Int32(0), Int32(0))
            let flags = ASN1_get_object(&next, &count, &tag, &tagClass, bytes.count)
            guard flags == 0 || flags == V_ASN1_CONSTRUCTED, tagClass == V_ASN1_UNIVERSAL, let next else {
                ERR_clear_error()
                return nil
            }
            return (tag, next - base, count)
        }
        guard let header else { return nil }
        let contents = rest.dropFirst(header.start).prefix(header.count)
        rest = rest[contents.endIndex...]
        return Element(tag: header.tag, contents: contents)
    }

    /// As `next()`, for an element whose tag must be this one.
    mutating func next(_ tag: Int32) -> ArraySlice<UInt8>? {
        guard let element = next(), element.tag == tag else { return nil }
        return element.contents
    }
}
