import JSON

/// One HTTP answer, as a value.
package struct Answer: Sendable, Equatable {
    /// 200–599.
    package var status: Int
    package var contentType: String?
    /// Further headers; they replace the emulator's own of the same name.
    package var headers: [Header]
    package var body: [UInt8]

    package init(status: Int, contentType: String?, headers: [Header] = [], body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
    }

    package struct Header: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }

        /// Whether it can be sent (RFC 9110, sections 5.1 and 5.5) and is not one that frames the message, which the
        /// server writes itself.
        var isWellFormed: Bool {
            let isToken = name.utf8.allSatisfy { byte in
                (0x21...0x7E).contains(byte) && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
            }
            let isFraming = ["content-length", "transfer-encoding"].contains(name.lowercased())
            return !name.isEmpty && isToken && !isFraming && !value.isEmpty
                && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
    }

    static let jsonContentType = "application/json"

    static func json(status: Int, headers: [Header] = [], _ write: (inout JSONWriter) -> Void) -> Answer {
        var writer = JSONWriter()
        write(&writer)
        return Answer(status: status, contentType: jsonContentType, headers: headers, body: writer.bytes)
    }

    /// `{"code":"SUCCESS","data":{"publicKey":…}}`.
    static func success(publicKey: String) -> Answer {
        json(status: 200) { json in
            json.object { object in
                object.member("code", "SUCCESS")
                object.member("data") { $0.object { $0.member("publicKey", publicKey) } }
            }
        }
    }
}
