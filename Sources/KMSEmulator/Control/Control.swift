import KMSJSON
import KMSPlatform

/// Answers the test requests under `/_emulator/`: unsigned, never faulted, never counted.
///
/// | request | body | answer |
/// |---|---|---|
/// | `GET health` | | `{"status":"ok","version":"…"}` |
/// | `GET state` | | `EmulatorState` |
/// | `GET requests`, `GET requests?since=N` | | the last 1,000 requests, or those after request N (`Recorder`) |
/// | `PUT seed` | a seed | `{}` |
/// | `POST fault` | `{"faults": ["status=503,code=500,rate=0.05"]}`, replacing all | `{}` |
/// | `POST throttle` | `{"perSecond": N}`; 0 or null removes the limit | `{}` |
/// | `POST close-idle` | closes every connection: idle ones at once, others after their current answer | `{}` |
/// | `POST reset` | resets counters, recorded requests, faults, dice and throttle | `{}` |
///
/// An error is `{"error": "…"}` with 400, 404, 405 or 413.
struct Control: Sendable {
    /// Enough for seeds of several thousand keys.
    static let maximumBodyBytes = 8 << 20

    let core: EmulatorCore

    private struct Failure: Error {
        var status = 400
        var text: String
        var headers: [Answer.Header] = []
    }

    /// - Parameter body: nil if it was too large.
    func answer(method: String, name: String, query: String, body: [UInt8]?) -> Answer {
        do throws(Failure) {
            guard let wanted = Self.methods.first(where: { $0.name == name })?.method else {
                let known = Self.methods.map(\.name).joined(separator: ", ")
                throw Failure(
                    status: 404, text: "unknown control request \"\(name)\"; the control requests are \(known)")
            }
            guard method == wanted else {
                throw Failure(status: 405, text: "the method must be \(wanted)", headers: [.init("Allow", wanted)])
            }
            guard let body else {
                throw Failure(status: 413, text: "the body is longer than \(Self.maximumBodyBytes) bytes")
            }
            return try perform(name, query, body)
        } catch {
            return .json(status: error.status, headers: error.headers) { json in
                json.object { $0.member("error", error.text) }
            }
        }
    }

    private static let methods: [(name: String, method: String)] = [
        ("health", "GET"), ("state", "GET"), ("requests", "GET"), ("seed", "PUT"), ("fault", "POST"),
        ("throttle", "POST"), ("close-idle", "POST"), ("reset", "POST"),
    ]

    private func perform(_ name: String, _ query: String, _ body: [UInt8]) throws(Failure) -> Answer {
        switch name {
        case "health":
            return .json(status: 200) { json in
                json.object { object in
                    object.member("status", "ok")
                    object.member("version", ProgramVersion.text)
                }
            }
        case "requests":
            let since = try since(in: query)
            // Copied, so that other requests do not wait while it is written.
            let recorder = core.recorder
            return .json(status: 200) { recorder.write(since: since, to: &$0) }
        case "state": return .json(status: 200) { core.state.write(to: &$0) }
        case "seed":
            do { core.setSeed(try Seed(parsing: body)) } catch { throw Failure(text: error.description) }
        case "fault": core.setFaults(try faults(in: body))
        case "throttle": core.setThrottle(requestsPerSecond: try throttle(in: body))
        case "close-idle": core.closeIdleConnections()
        default: core.reset()
        }
        return .json(status: 200) { $0.object { _ in } }
    }

    /// The N of `since=N`; 0 without a query.
    private func since(in query: String) throws(Failure) -> Int {
        if query.isEmpty { return 0 }
        let prefix = "since="
        guard query.hasPrefix(prefix), let number = Int(query.dropFirst(prefix.count)), number >= 0 else {
            throw Failure(text: "the query must be since=N, where N is the number of a request")
        }
        return number
    }

    private func faults(in body: [UInt8]) throws(Failure) -> [Fault] {
        let form = "the body must be {\"faults\": [\"SPEC\", …]}"
        guard let elements = try member("faults", in: body, form).elements else { throw Failure(text: form) }
        var faults: [Fault] = []
        for element in elements {
            guard let text = element.string else { throw Failure(text: form) }
            do { faults.append(try Fault(parsing: text)) } catch { throw Failure(text: error.description) }
        }
        return faults
    }

    private func throttle(in body: [UInt8]) throws(Failure) -> Int? {
        let form = "the body must be {\"perSecond\": N}, where N is an integer of at least 0, or null"
        let value = try member("perSecond", in: body, form)
        if value.isNull { return nil }
        guard let number = value.integer, number >= 0 else { throw Failure(text: form) }
        return number == 0 ? nil : number
    }

    private func member(_ name: String, in body: [UInt8], _ form: String) throws(Failure) -> JSONValue {
        let value: JSONValue
        do { value = try JSONValue(parsing: body) } catch { throw Failure(text: "\(form): \(error)") }
        guard let members = value.members, members.count == 1, members[0].name == name else {
            throw Failure(text: form)
        }
        return members[0].value
    }
}
