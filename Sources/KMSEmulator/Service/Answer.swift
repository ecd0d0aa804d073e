import KMSJSON

/// An HTTP answer.
package struct Answer: Sendable, Equatable {
    /// 200–599.
    package var status: Int
    package var contentType: String?
    /// Further headers; they replace the emulator's headers of the same names.
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

        /// Whether it is valid (RFC 9110, sections 5.1 and 5.5) and not one that frames the message, which the server
        /// sets itself.
        var isWellFormed: Bool {
            let isToken = name.utf8.allSatisfy { byte in
                (0x21...0x7E).contains(byte) && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
            }
            let isFraming = ["content-length", "transfer-encoding"].contains(name.lowercased())
            return !name.isEmpty && isToken && !isFraming && !value.isEmpty
                && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
    }

    static func json(status: Int, headers: [Header] = [], _ write: (inout JSONWriter) -> Void) -> Answer {
        var writer = JSONWriter()
        write(&writer)
        return Answer(status: status, contentType: "application/json", headers: headers, body: writer.bytes)
    }

    static func text(status: Int, _ text: String, headers: [Header] = []) -> Answer {
        Answer(status: status, contentType: "text/plain", headers: headers, body: Array(text.utf8))
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

/// The answers with which the service refuses a request, from the tables of NAVER's API guide
/// (https://api.ncloud-docs.com/docs/en/common-ncpapi).
enum Refusal {
    /// Refusals by the API gateway: `{"error":{"errorCode":…,"message":…,"details":…}}`.
    struct Gateway: Equatable {
        let status: Int
        let code: Int
        let message: String

        static let badRequest = Gateway(status: 400, code: 100, message: "Bad Request Exception")
        static let authenticationFailed = Gateway(status: 401, code: 200, message: "Authentication Failed")
        static let permissionDenied = Gateway(status: 401, code: 210, message: "Permission Denied")
        static let forbidden = Gateway(status: 403, code: 230, message: "Forbidden")
        static let notFound = Gateway(status: 404, code: 300, message: "Not Found Exception")
        static let quotaExceeded = Gateway(status: 429, code: 400, message: "Quota Exceeded")
        static let throttleLimited = Gateway(status: 429, code: 410, message: "Throttle Limited")
        static let rateLimited = Gateway(status: 429, code: 420, message: "Rate Limited")
        static let entityTooLarge = Gateway(status: 413, code: 430, message: "Request Entity Too Large")
        static let endpointError = Gateway(status: 503, code: 500, message: "Endpoint Error")
        static let endpointTimeout = Gateway(status: 504, code: 510, message: "Endpoint Timeout")
        static let unexpectedError = Gateway(status: 500, code: 900, message: "Unexpected Error")

        /// Where several have the same status, the most common one comes first.
        static let all: [Gateway] = [
            badRequest, authenticationFailed, permissionDenied, forbidden, notFound, throttleLimited, rateLimited,
            quotaExceeded, entityTooLarge, endpointError, endpointTimeout, unexpectedError,
        ]

        func answer(details: String) -> Answer {
            Self.answer(status: status, code: "\(code)", message: message, details: details)
        }

        /// - Parameter isNumber: whether `errorCode` is a JSON number instead of a string; users have reported such
        ///   answers.
        static func answer(
            status: Int, code: String, isNumber: Bool = false, message: String, details: String
        ) -> Answer {
            .json(status: status) { json in
                json.object { object in
                    object.member("error") { error in
                        error.object { error in
                            error.member("errorCode") { isNumber ? $0.raw(code.utf8) : $0.value(code) }
                            error.member("message", message)
                            error.member("details", details)
                        }
                    }
                }
            }
        }
    }

    /// Refusals by the service itself: `{"code":…,"msg":…,"data":null}`.
    enum Service: String, CaseIterable {
        case forbidden = "FORBIDDEN"
        case internalServerError = "INTERNAL_SERVER_ERROR"
        case unprocessableEntity = "UNPROCESSABLE_ENTITY"
        case invalidRequest = "INVALID_REQUEST"
        case unauthorized = "UNAUTHORIZED"

        var message: String {
            switch self {
            case .forbidden: "Forbidden"
            case .internalServerError: "Server internal error"
            case .unprocessableEntity: "Invalid status"
            case .invalidRequest: "Invalid request"
            case .unauthorized: "Unauthorized"
            }
        }

        var status: Int {
            switch self {
            case .forbidden: 403
            case .internalServerError: 500
            case .unprocessableEntity: 422
            case .invalidRequest: 400
            case .unauthorized: 401
            }
        }

        var answer: Answer { Self.answer(status: status, code: rawValue, message: message) }

        static func answer(status: Int, code: String, message: String) -> Answer {
            .json(status: status) { json in
                json.object { object in
                    object.member("code", code)
                    object.member("msg", message)
                    object.member("data") { $0.null() }
                }
            }
        }
    }
}
