import KMSJSON
import Testing

@testable import KMSJSONRPC

@Suite struct ParametersTests {
    private static let names = ["tag", "count", "formats"]

    private let texts = Texts()

    /// The texts that a test's parameters point into.
    private final class Texts {
        private var all: [UnsafeMutableBufferPointer<UInt8>] = []

        func keep(_ text: String) -> UnsafeBufferPointer<UInt8> {
            let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
            _ = copy.initialize(from: text.utf8)
            all.append(copy)
            return UnsafeBufferPointer(copy)
        }

        deinit { for text in all { text.deallocate() } }
    }

    private func parameters(_ json: String?, byPosition: Bool = true) throws -> Parameters {
        let raw = try json.map { json in
            var scanner = JSONScanner(texts.keep(json))
            return RawParameters(bytes: scanner.bytes, token: try scanner.scanText())
        }
        return try Parameters(raw, names: Self.names, byPosition: byPosition)
    }

    /// The name and the reason of the error that `body` throws; nil if it throws none.
    private func refusal<T>(_ body: () throws -> T) -> [String]? {
        do {
            _ = try body()
            return nil
        } catch let error as RPCError where error.code == -32602 && error.type == "InvalidParams" {
            return error.details.map { member in
                guard case .string(let string) = member.value else { return "" }
                return string
            }
        } catch {
            return ["another error: \(error)"]
        }
    }

    @Test(arguments: [
        #"{"tag":"k","count":2,"formats":["a","b"]}"#, #"["k",2,["a","b"]]"#, #"["k",2.0,["a","b"]]"#,
        #"{"formats":["\u0061","b"],"count":20e-1,"t\u0061g":"k","_meta":{"any":1}}"#,
    ])
    func `parameters come by name or by position, integers in any spelling`(json: String) throws {
        let parameters = try parameters(json)
        #expect(try parameters.requiredString("tag") == "k")
        #expect(try parameters.optionalInteger("count", in: 1...2) == 2)
        #expect(try parameters.optionalStrings("formats") == ["a", "b"])
    }

    @Test(arguments: [
        nil, "{}", "[]", "[null,null,null]", #"{"tag":null,"count":null,"formats":null,"_meta":null}"#, "[null]",
    ])
    func `null means absent`(json: String?) throws {
        let parameters = try parameters(json)
        #expect(try parameters.optionalString("tag") == nil)
        #expect(try parameters.optionalInteger("count", in: 1...2) == nil)
        #expect(try parameters.optionalStrings("formats") == nil)
        #expect(parameters.optional("tag") == nil)
        #expect(refusal { try parameters.requiredString("tag") } == ["tag", "is missing"])
    }

    @Test func `a value that must be there may be null`() throws {
        #expect(try parameters(#"{"tag":null}"#).required("tag").isNull)
        #expect(refusal { try parameters("{}").required("tag") } == ["tag", "is missing"])
    }

    @Test(arguments: [
        (#"{"tags":"k"}"#, "tags"), (#"{"Tag":"k"}"#, "Tag"), (#"{"tag":"k","":1}"#, ""), (#"{"t\u0061gs":1}"#, "tags"),
        (#"{"meta":1}"#, "meta"), (#"{"tag":1,"unknown":null}"#, "unknown"),
    ])
    func `an unknown name is refused and named, with the known names`(json: String, name: String) {
        #expect(
            refusal { try parameters(json) } == [
                name, "is not a parameter of this method; its parameters are: tag, count, formats",
            ])
    }

    @Test func `too many positions are refused`() {
        #expect(refusal { try parameters("[1,2,3]") } == nil)
        #expect(refusal { try parameters("[1,2,3,null]") } == ["has more elements than the method's 3 parameters"])
    }

    @Test func `a method by name only takes no positions`() {
        #expect(refusal { try parameters("[1]", byPosition: false) }?.count == 1)
        #expect(refusal { try parameters("[]", byPosition: false) } == nil)
        #expect(refusal { try parameters(#"{"tag":1}"#, byPosition: false) } == nil)
    }

    @Test(arguments: ["0", "3", "1.5", "-1", "\"2\"", "true", "[]", "{}", "18446744073709551617", "1e19", "1e-1"])
    func `what is no integer of the range is refused`(value: String) throws {
        let parameters = try parameters(#"{"count":\#(value)}"#)
        #expect(
            refusal { try parameters.optionalInteger("count", in: 1...2) } == [
                "count", "must be an integer from 1 to 2",
            ])
    }

    @Test func `a range without an end is named as such`() throws {
        let parameters = try parameters(#"{"count":-1}"#)
        #expect(
            refusal { try parameters.optionalInteger("count", in: 0...Int.max) } == [
                "count", "must be an integer of at least 0",
            ])
    }

    @Test func `strings are strings`() throws {
        for value in ["1", "true", "[]", "{}"] {
            let parameters = try parameters(#"{"tag":\#(value)}"#)
            #expect(refusal { try parameters.optionalString("tag") } == ["tag", "must be a string"])
            #expect(refusal { try parameters.requiredString("tag") } == ["tag", "must be a string"])
        }
        for value in ["1", "\"a\"", "{}", "[1]", "[\"a\",null]"] {
            let parameters = try parameters(#"{"formats":\#(value)}"#)
            #expect(
                refusal { try parameters.optionalStrings("formats") } == ["formats", "must be an array of strings"])
        }
    }
}
