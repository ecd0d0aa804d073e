/// Numbers as text, converted only on demand.
enum JSONNumber {
    /// The integer value of a number in any spelling (`2`, `2.0`, `20e-1`); nil if it has a fraction or does not fit
    /// into an `Int`. Exact: it never goes through a `Double`.
    static func integer(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var index = 0
        let isNegative = bytes[0] == UInt8(ascii: "-")
        if isNegative { index = 1 }

        // value = digits × 10^exponent. Trailing zeros of the digits count towards the exponent until another digit
        // follows.
        var magnitude: UInt64 = 0
        var pendingZeros = 0
        var exponent = 0
        var isFraction = false
        var overflow = false
        scan: while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "."):
                isFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                exponent += Self.exponent(bytes, from: index)
                break scan
            default:
                if isFraction { exponent -= 1 }
                guard byte != UInt8(ascii: "0") else {
                    if magnitude != 0 { pendingZeros += 1 }
                    continue
                }
                overflow = overflow || !shift(&magnitude, by: pendingZeros + 1)
                overflow = overflow || !add(UInt64(byte - UInt8(ascii: "0")), to: &magnitude)
                pendingZeros = 0
            }
        }
        guard !overflow else { return nil }
        guard magnitude != 0 else { return 0 }
        exponent += pendingZeros
        guard exponent >= 0, shift(&magnitude, by: exponent) else { return nil }
        return isNegative ? Int(exactly: -Int128(magnitude)) : Int(exactly: magnitude)
    }

    /// The written exponent, saturated far beyond what an `Int` can need.
    private static func exponent(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        var isNegative = false
        if bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        var value = 0
        while index < bytes.count {
            // 2^40 is more digits than any message can contain.
            value = min(value * 10 + Int(bytes[index] - UInt8(ascii: "0")), 1 << 40)
            index += 1
        }
        return isNegative ? -value : value
    }

    /// Multiplies by 10^`places`; false if the result does not fit.
    private static func shift(_ magnitude: inout UInt64, by places: Int) -> Bool {
        guard magnitude != 0 else { return true }
        guard places < 20 else { return false }
        for _ in 0..<places {
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            if overflow { return false }
            magnitude = product
        }
        return true
    }

    private static func add(_ digit: UInt64, to magnitude: inout UInt64) -> Bool {
        let (sum, overflow) = magnitude.addingReportingOverflow(digit)
        magnitude = sum
        return !overflow
    }
}
