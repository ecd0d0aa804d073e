/// Writes ASN.1, rightly or wrongly: what OpenSSL would not write.
enum DER {
    /// - Parameter lengthBytes: how many bytes the length takes after the first; nil for as few as possible.
    static func element(_ tag: UInt8, _ contents: [UInt8], lengthBytes: Int? = nil) -> [UInt8] {
        var length: [UInt8] = []
        var rest = contents.count
        while rest > 0 {
            length.insert(UInt8(rest & 0xFF), at: 0)
            rest >>= 8
        }
        if contents.count < 0x80, lengthBytes == nil { return [tag, UInt8(contents.count)] + contents }
        let padding = [UInt8](repeating: 0, count: max((lengthBytes ?? 0) - length.count, 0))
        return [tag, 0x80 | UInt8(padding.count + length.count)] + padding + length + contents
    }

    static func sequence(_ elements: [UInt8]..., lengthBytes: Int? = nil) -> [UInt8] {
        element(0x30, elements.flatMap { $0 }, lengthBytes: lengthBytes)
    }

    /// Of unknown length, ended by two zeros: BER, never DER.
    static func indefiniteSequence(_ elements: [UInt8]...) -> [UInt8] {
        [0x30, 0x80] + elements.flatMap { $0 } + [0, 0]
    }

    /// The contents as they are, so that they may be negative or not minimal.
    static func integer(_ contents: [UInt8], lengthBytes: Int? = nil) -> [UInt8] {
        element(0x02, contents, lengthBytes: lengthBytes)
    }

    /// A positive number, big-endian, written minimally.
    static func positive(_ number: [UInt8]) -> [UInt8] {
        let digits = Array(number.drop { $0 == 0 })
        return integer((digits.first ?? 0x80) >= 0x80 ? [0] + digits : digits)
    }

    static func bitString(_ contents: [UInt8], unusedBits: UInt8 = 0) -> [UInt8] {
        element(0x03, [unusedBits] + contents)
    }

    static let null: [UInt8] = [0x05, 0x00]
    static let rsaEncryption: [UInt8] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
    static let ecPublicKey: [UInt8] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
    static let p256: [UInt8] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]

    static func rsaSPKI(_ pkcs1: [UInt8]) -> [UInt8] {
        sequence(sequence(rsaEncryption, null), bitString(pkcs1))
    }

    static func p256SPKI(_ point: [UInt8]) -> [UInt8] {
        sequence(sequence(ecPublicKey, p256), bitString(point))
    }

    static func rsaPKCS1(modulus: [UInt8], exponent: [UInt8]) -> [UInt8] {
        sequence(positive(modulus), positive(exponent))
    }

    /// An odd number of exactly this many bits that is no product of two primes, but looks like one.
    static func modulus(bits: Int) -> [UInt8] {
        var number = [UInt8](repeating: 0xA5, count: (bits + 7) / 8)
        number[0] = 1 << UInt8((bits - 1) % 8)
        return number
    }
}
