import KMSJSON
import Testing

@Suite struct JSONNumberTests {
    @Test(arguments: [
        ("0", 0), ("-0", 0), ("0.0", 0), ("-0.000e7", 0), ("0e999999999999", 0), ("0e-999999999999", 0),
        ("2", 2), ("2.0", 2), ("2e0", 2), ("2E+0", 2), ("20e-1", 2), ("0.2e1", 2), ("0.002e3", 2), ("2000e-3", 2),
        ("2.000000000000000000000000000000", 2), ("200000000000000000000000000000e-29", 2),
        ("0.00000000000000000000000000000002e32", 2), ("-2e00000000000000000000000000000000", -2),
        ("10", 10), ("1.5e1", 15), ("100.10e1", 1_001), ("-1.50e2", -150), ("1e18", 1_000_000_000_000_000_000),
        ("9223372036854775807", Int.max), ("9223372036854775807.0", Int.max), ("9.223372036854775807e18", Int.max),
        ("-9223372036854775808", Int.min), ("-9223372036854775808.000", Int.min),
    ])
    func `an integer is read in every spelling`(text: String, value: Int) throws {
        #expect(try JSONValue(parsing: text).integer == value)
    }

    @Test(arguments: [
        "1e-1", "0.5", "-0.1", "1.5", "2.00000000000000000000000000001", "25e-1", "1e-999999999999",
        "9223372036854775808", "-9223372036854775809", "1e19", "-1e19", "1e20", "1e999999999999",
        "1e99999999999999999999999999", "18446744073709551615", "99999999999999999999", "9223372036854775807.5",
    ])
    func `a number with a fraction, or too large, is no integer`(text: String) throws {
        #expect(try JSONValue(parsing: text).integer == nil)
    }

    /// The symptom: 2^64 was read as 0, because the sum of its digits wraps to 0 in 64 bits.
    @Test(arguments: [
        "18446744073709551616", "-18446744073709551616", "1844674407370955161.6e1", "18446744073709551616.0",
        "36893488147419103232", "340282366920938463463374607431768211456",
    ])
    func `a power of two beyond 64 bits is not 0`(text: String) throws {
        #expect(try JSONValue(parsing: text).integer == nil)
    }

    @Test func `digits by the hundred thousand are read in linear time`() throws {
        let zeros = String(repeating: "0", count: 200_000)
        #expect(try JSONValue(parsing: "7\(zeros)e-200000").integer == 7)
        #expect(try JSONValue(parsing: "0.\(zeros)7e200001").integer == 7)
        #expect(try JSONValue(parsing: "7\(zeros)").integer == nil)
        #expect(try JSONValue(parsing: String(repeating: "7", count: 200_000)).integer == nil)
        #expect(try JSONValue(parsing: "0e\(String(repeating: "9", count: 200_000))").integer == 0)
    }

    @Test func `a number stays as it was written`() throws {
        for text in ["1e2", "-0", "0.10", "18446744073709551616", "1E+0"] {
            #expect(String(decoding: try JSONValue(parsing: " \(text) ").bytes, as: UTF8.self) == text)
        }
    }

    @Test func `other kinds are no numbers`() throws {
        for text in ["\"2\"", "true", "null", "[2]", "{}"] {
            #expect(try JSONValue(parsing: text).integer == nil)
        }
    }
}
