import CKMSOpenSSL

/// Determines why bytes are not an accepted key. Only for the error: it never accepts a key, so it may parse leniently.
enum PublicKeyDiagnosis {
    /// Why bytes that do not begin like any accepted SubjectPublicKeyInfo are refused.
    static func reasonToRefuse(spki der: [UInt8]) -> PublicKeyError {
        var outer = DERElements(der[...])
        guard let contents = outer.next(V_ASN1_SEQUENCE) else { return .invalidDER }
        if isPrivateKey(der[...]) { return .privateKey }
        guard let (algorithm, keyBytes) = parts(of: contents) else { return .invalidDER }
        defer { X509_ALGOR_free(algorithm) }

        var identifier: OpaquePointer?
        var parameterType: Int32 = 0
        var parameter: UnsafeRawPointer?
        X509_ALGOR_get0(&identifier, &parameterType, &parameter, algorithm)
        switch OBJ_obj2nid(identifier) {
        case NID_rsaEncryption: return reasonToRefuse(rsa: keyBytes, hasTrailingBytes: !outer.rest.isEmpty)
        case NID_rsassaPss: return .rsaPSSOnly
        case NID_dsa: return .dsa
        case NID_ED25519: return .ed25519
        case NID_X9_62_id_ecPublicKey: break
        default: return .unsupportedAlgorithm(name(of: identifier))
        }

        switch parameterType {
        case V_ASN1_OBJECT:
            let curve = parameter.map(OpaquePointer.init)
            guard let known = Curve.allCases.first(where: { $0.nid == OBJ_obj2nid(curve) }) else {
                return .unsupportedCurve(name(of: curve))
            }
            return reasonToRefuse(point: keyBytes, on: known, hasTrailingBytes: !outer.rest.isEmpty)
        case V_ASN1_SEQUENCE: return .explicitCurveParameters
        default: return .invalidDER
        }
    }

    /// Whether the bytes begin like a private key: PKCS#8, PKCS#1 and SEC 1 all begin with a version of one byte, and
    /// no public key does.
    static func isPrivateKey(_ der: ArraySlice<UInt8>) -> Bool {
        var outer = DERElements(der)
        guard let contents = outer.next(V_ASN1_SEQUENCE) else { return false }
        var inner = DERElements(contents)
        guard let version = inner.next(V_ASN1_INTEGER) else { return false }
        return version.count <= 1
    }

    /// The algorithm, which the caller must free, and the bytes of the bit string.
    private static func parts(
        of contents: ArraySlice<UInt8>
    ) -> (algorithm: UnsafeMutablePointer<X509_ALGOR>, keyBytes: ArraySlice<UInt8>)? {
        var inner = DERElements(contents)
        guard inner.next(V_ASN1_SEQUENCE) != nil, let bits = inner.next(V_ASN1_BIT_STRING), bits.first == 0,
            inner.rest.isEmpty
        else { return nil }
        let algorithm = contents.withUnsafeBufferPointer { bytes in
            var next = bytes.baseAddress
            return d2i_X509_ALGOR(nil, &next, bytes.count)
        }
        guard let algorithm else {
            ERR_clear_error()
            return nil
        }
        return (algorithm, bits.dropFirst())
    }

    private static func reasonToRefuse(rsa pkcs1: ArraySlice<UInt8>, hasTrailingBytes: Bool) -> PublicKeyError {
        do throws(PublicKeyError) {
            _ = try RSAPublicKey(pkcs1: pkcs1)
            // The key itself is valid, so the bytes around it are not.
            return hasTrailingBytes ? .trailingBytes : .invalidDER
        } catch {
            return error
        }
    }

    private static func reasonToRefuse(
        point: ArraySlice<UInt8>, on curve: Curve, hasTrailingBytes: Bool
    ) -> PublicKeyError {
        // SEC 1, section 2.3.3: the first byte is the form of the point. 6 and 7 are the hybrid form of X9.62.
        switch (point.first, point.count) {
        case (0, 1): .pointAtInfinity
        case (2, 1 + curve.coordinateCount), (3, 1 + curve.coordinateCount): .compressedPoint
        case (6, 1 + 2 * curve.coordinateCount), (7, 1 + 2 * curve.coordinateCount): .compressedPoint
        default: hasTrailingBytes ? .trailingBytes : .invalidDER
        }
    }

    /// OpenSSL's short name of an object identifier, or its numbers separated by dots if it has none.
    private static func name(of identifier: OpaquePointer?) -> String {
        if let name = OBJ_nid2sn(OBJ_obj2nid(identifier)), OBJ_obj2nid(identifier) != NID_undef {
            return String(cString: name)
        }
        // OpenSSL's manual says that 80 bytes are enough for every identifier in use; a longer one is cut.
        var text = [UInt8](repeating: 0, count: 80)
        let written = text.withUnsafeMutableBytes { buffer in
            OBJ_obj2txt(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count), identifier, 1)
        }
        return written > 0 ? String(decoding: text.prefix { $0 != 0 }, as: UTF8.self) : "unknown"
    }
}
