import Testing

@testable import NCloudKMS

@Suite struct ChunkedBodyTests {
    /// The data of a body that arrives in pieces of one size.
    private static func decode(_ text: String, pieces size: Int) throws -> (body: ChunkedBody, data: String) {
        var body = ChunkedBody()
        var data: [UInt8] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            _ = try bytes[start..<min(start + size, bytes.count)].withUnsafeBytes {
                try body.take($0) { piece in
                    data += piece
                    return true
                }
            }
        }
        return (body, String(decoding: data, as: UTF8.self))
    }

    @Test(
        arguments: [
            ("0\r\n\r\n", ""), ("2\r\n{}\r\n0\r\n\r\n", "{}"), ("2\n{}\n0\n\n", "{}"),
            ("00002\r\n{}\r\n00\r\n\r\n", "{}"),
            ("1;a=b;c=\"d;\"\r\n{\r\n1 \r\n}\r\n0;e\r\nX: y\r\nZ: w\r\n\r\n", "{}"),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n", "0123456789012345678901234567890"),
        ], [1, 3, 1_000])
    func `the data comes out, and the rest is counted`(row: (text: String, data: String), size: Int) throws {
        let (body, data) = try Self.decode(row.text, pieces: size)
        #expect(data == row.data)
        #expect(body.isComplete && !body.hasSurplus)
        #expect(body.framingBytes == row.text.utf8.count - row.data.utf8.count)
    }

    @Test(arguments: ["", "2", "2\r\n", "2\r\n{", "2\r\n{}", "2\r\n{}\r\n", "0\r\n", "0\r\n\r", "0\r\nX: y\r\n"])
    func `a body that is cut is not complete`(text: String) throws {
        #expect(try !Self.decode(text, pieces: 1_000).body.isComplete)
    }

    @Test(arguments: [
        "\r\n", "g\r\n", "-1\r\n", " 1\r\n{\r\n", "10000000000000000\r\n", "8000000000000000\r\n",
        "ffffffffffffffff\r\n{}", "2\r\n{}x", "1\r\n{}\r\n0\r\n\r\n",
    ])
    func `what is no chunk is refused`(text: String) {
        #expect(throws: ChunkedBody.Failure.malformed) { try Self.decode(text, pieces: 1_000) }
    }

    @Test(arguments: ["10001\r\n", "7fffffffffffffff\r\n{}", "00010001\n"])
    func `a chunk that is larger than any answer is too large from its size on`(text: String) {
        #expect(throws: ChunkedBody.Failure.chunkTooLarge) { try Self.decode(text, pieces: 1_000) }
    }

    @Test func `a chunk may be as large as an answer`() throws {
        let body = String(repeating: "x", count: 64 << 10)
        #expect(try Self.decode("10000\r\n\(body)\r\n0\r\n\r\n", pieces: 1_000).data == body)
    }

    @Test func `bytes after the end are a surplus, whatever they are`() throws {
        let (body, data) = try Self.decode("1\r\n{\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", pieces: 7)
        #expect(body.isComplete && body.hasSurplus)
        #expect(data == "{")
    }

    @Test func `a line of a trailer is at most as long as libcurl reads`() throws {
        let trailer = "0\r\nX: " + String(repeating: "y", count: 3_000) + "\r\n"
        #expect(try Self.decode(trailer + "\r\n", pieces: 1_000).body.isComplete)
        let longer = trailer.dropLast(2) + String(repeating: "y", count: 2_000)
        #expect(throws: ChunkedBody.Failure.trailerTooLong) { try Self.decode(String(longer), pieces: 1_000) }
    }

    @Test func `the receiver of the data may end the transfer`() throws {
        var body = ChunkedBody()
        let goesOn = try Array("2\r\n{}\r\n".utf8).withUnsafeBytes { try body.take($0) { _ in false } }
        #expect(!goesOn)
    }
}
