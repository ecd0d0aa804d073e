import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Several processes that share an engine.
enum Fleet {
    /// Long enough for a machine that runs many tests at once: where it is no time-out that is tested.
    static let patient = ["--shared-timeout", "10000"]

    /// Runs processes while `body` talks to them.
    static func run<Result: Sendable>(
        _ count: Int, _ arguments: [String], environment: [String: String], _ started: [ServiceProcess] = [],
        body: ([ServiceProcess]) async throws -> Result
    ) async throws -> Result {
        if started.count == count { return try await body(started) }
        return try await ServiceProcess.run(arguments: arguments, environment: environment) { process async throws in
            try await run(count, arguments, environment: environment, started + [process], body: body)
        }.result
    }
}

extension ServiceProcess {
    /// Asks for a key, and returns the result.
    ///
    /// - Parameter members: more of the parameters, in JSON, each preceded by a comma.
    func key(_ keyTag: String = "demo-rsa", _ members: String = "") async throws -> JSONText {
        let answer = try await ask(Lines.request(1, "getPublicKey", #"{"keyTag":"\#(keyTag)"\#(members)}"#))
        return try #require(answer.result, "\(answer) \(answer.message ?? "")")
    }

    /// The member `shared` of the status.
    func sharedStatus() async throws -> JSONValue {
        let answer = try await ask(Lines.request(2, "getStatus"))
        return try #require(answer.result?["shared"])
    }

    /// The same, once it shows what is waited for.
    ///
    /// - Parameters:
    ///   - calling: whether to make a call that asks the service before each look.
    ///   - isReached: throws if it will never be.
    /// - Throws: `NeverHappened` with the last status, after a minute.
    func sharedStatus(calling: Bool = false, once isReached: (JSONValue) throws -> Bool) async throws -> JSONValue {
        let deadline = SystemClock().now + .seconds(60)
        while true {
            if calling { _ = try await key("demo-rsa", #","maxAgeMs":0"#) }
            let status = try await sharedStatus()
            if try isReached(status) { return status }
            guard SystemClock().now < deadline else { throw NeverHappened(last: status.text) }
            // A moment for the process that is looked at.
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// The same, once the engine has answered that it stored this many entries.
    ///
    /// - Parameter count: at least 1: whoever expects none has nothing to wait for.
    func sharedStatus(stored count: Int) async throws -> JSONValue {
        try #require(count > 0)
        return try await sharedStatus { status in
            let stored = try #require(status["keys"]?["stored"]?.integer)
            try #require(stored <= count, "\(status.text)")
            return stored == count
        }
    }

    /// Makes calls that ask the service, until the process is connected to the engine.
    func callUntilConnected() async throws {
        _ = try await sharedStatus(calling: true) { $0["state"]?.string == "connected" }
    }
}

extension EmulatedKMS {
    /// Waits until the emulator has got this many requests for a key.
    func waitForRequests(_ keyTag: String, _ count: Int) async throws {
        let emulator = emulator
        _ = try await onOwnThreadPolling { emulator.state.perKey[keyTag] ?? 0 >= count ? true : nil }
    }
}

extension JSONText {
    var source: String? { value["source"]?.string }
    var ageMilliseconds: Int? { value["ageMs"]?.integer }
}
