/// The ways in which the service says no: the tables of the API reference.
enum Refusal {
    /// The gateway in front of the service: `{"error":{"errorCode":…,"message":…,"details":…}}`.
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

        /// Of several with one status the most usual comes first.
        static let all: [Gateway] = [
            badRequest, authenticationFailed, permissionDenied, forbidden, notFound, throttleLimited, rateLimited,
            quotaExceeded, entityTooLarge, endpointError, endpointTimeout, unexpectedError,
        ]

        func answer(details: String) -> Answer {
            Self.answer(status: status, code: "\(code)", message: message, details: details)
        }

        /// - Parameter isNumber: `errorCode` as a JSON number, which third parties have seen; else a string.
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

    /// The service itself: `{"code":…,"msg":…,"data":null}`.
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
