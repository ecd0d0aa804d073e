/// The numbers of a key that passed the checks, and its DER SubjectPublicKeyInfo.
struct PublicKeyMaterial: Sendable {
    enum Numbers: Sendable {
        case rsa(RSAPublicKey)
        /// The coordinates, each at the full width of the curve's field.
        case ec(Curve, x: ArraySlice<UInt8>, y: ArraySlice<UInt8>)
    }

    let numbers: Numbers
    let spki: [UInt8]

    init(_ block: PEMBlock) throws(PublicKeyError) {
        switch block.label {
        case .publicKey: try self.init(spki: block.der)
        case .rsaPublicKey: try self.init(pkcs1: block.der)
        }
    }

    private init(pkcs1: [UInt8]) throws(PublicKeyError) {
        numbers = .rsa(try RSAPublicKey(pkcs1: pkcs1[...]))
        guard let header = SubjectPublicKeyInfo.rsaHeader(pkcs1Count: pkcs1.count) else { throw .invalidDER }
        spki = header + pkcs1
    }

    private init(spki der: [UInt8]) throws(PublicKeyError) {
        spki = der
        if let header = SubjectPublicKeyInfo.rsaHeader(pkcs1Count: der.count - SubjectPublicKeyInfo.rsaHeaderCount),
            der.starts(with: header)
        {
            numbers = .rsa(try RSAPublicKey(pkcs1: der[header.count...]))
        } else if let curve = Curve.allCases.first(where: {
            der.count == SubjectPublicKeyInfo.ecCount($0) && der.starts(with: SubjectPublicKeyInfo.ecHeader($0))
        }) {
            guard let group = curve.group else { throw .unsupportedCurve(curve.rawValue) }
            let coordinates = der.suffix(2 * curve.coordinateCount)
            guard group.contains(encodedPoint: der[(coordinates.startIndex - 1)...]) else { throw .pointNotOnCurve }
            numbers = .ec(
                curve, x: coordinates.prefix(curve.coordinateCount), y: coordinates.suffix(curve.coordinateCount))
        } else {
            throw PublicKeyDiagnosis.reasonToRefuse(spki: der)
        }
    }
}
