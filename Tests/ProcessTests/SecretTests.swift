import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// No log at any level, no error, no status and no help holds a secret, a token or a signature.
@Suite(.timeLimit(.minutes(5))) struct SecretTests {
    private static let secret = "PlantedSecretKey0aB1cD2eF3gH4iJ5kL6mN7oP"
    private static let token = "PlantedToken0aB1cD2eF3gH4iJ5kL6mN7oP8qR9"
    private static let accessKey = "PLANTEDACCESSKEY0001"

    private static let headers = [
        "x-ncp-apigw-signature-v2": "signature", "x-ncp-ocapi-token": "token", "x-ncp-iam-access-key": "access key",
    ]

    /// What must not be found: what was planted, in clear, in Base64 and cut, and every signature that was sent.
    private static func search(_ output: String, _ requests: [RawConnection.Request], _ context: String) {
        var forbidden = [secret, token, accessKey, String(secret.prefix(12)), String(token.prefix(12))]
        forbidden += ["UGxhbnRlZFNlY3JldEtleT", "UGxhbnRlZFRva2Vu"]
        for request in requests {
            for line in request.head.split(separator: "\r\n") {
                let parts = line.split(separator: ": ", maxSplits: 1)
                if parts.count == 2, headers[parts[0].lowercased()] != nil { forbidden.append(String(parts[1])) }
            }
        }
        // As the service repeats them with escapes, and as JSON then writes those.
        forbidden += forbidden.flatMap { text in
            let rest = String(text.dropFirst())
            return [rest, rest.replacing("/", with: #"\/"#), rest.replacing("/", with: #"\\/"#)]
        }
        for text in forbidden { #expect(!output.contains(text), "\(context): \(text) was found") }
    }

    /// How each run gets its credentials.
    private static func variables(_ way: String, _ folder: TemporaryDirectory) throws -> [String: String] {
        let profile =
            "[DEFAULT]\nncloud_access_key_id=\(accessKey)\nncloud_secret_access_key=\(secret)\n"
        return switch way {
        case "environment": ["NCLOUD_ACCESS_KEY_ID": accessKey, "NCLOUD_SECRET_ACCESS_KEY": secret]
        case "profile": ["NCLOUD_CONFIG_FILE": try folder.write("configure", profile.utf8)]
        case "token": ["NCLOUD_KMS_TOKEN": token]
        case "token file": ["NCLOUD_KMS_TOKEN_FILE": try folder.write("token", token.utf8)]
        // Mistakes.
        case "half a pair": ["NCLOUD_SECRET_ACCESS_KEY": secret]
        case "a secret with a space": ["NCLOUD_ACCESS_KEY_ID": accessKey, "NCLOUD_SECRET_ACCESS_KEY": "\(secret) x"]
        case "a token with a space": ["NCLOUD_KMS_TOKEN": "\(token) x"]
        case "a damaged profile": ["NCLOUD_CONFIG_FILE": try folder.write("configure", "\(secret)\n\(profile)".utf8)]
        case "a secret given twice":
            [
                "NCLOUD_CONFIG_FILE": try folder.write(
                    "configure", "\(profile)ncloud_secret_access_key = \(secret)\n".utf8)
            ]
        default: ["NCLOUD_CONFIG_FILE": try folder.write("configure", "[\(secret)\n".utf8)]
        }
    }

    private static let ways = [
        "environment", "profile", "token", "token file", "half a pair", "a secret with a space",
        "a token with a space", "a damaged profile", "a secret given twice", "an open section",
    ]

    /// A service that echoes what it was sent, as a careless gateway does, and then fails in one way after the other.
    private static func service() throws -> RawResponder {
        try RawResponder { connection in
            let request = try connection.readRequest()
            // One after the other of what it was authenticated with, without the name of its header.
            let lines = request.head.split(separator: "\r\n").map { $0.split(separator: ": ", maxSplits: 1) }
            let sent = lines.filter { headers[$0[0].lowercased()] != nil }.map { $0[1] }
            let value = sent.isEmpty ? "nothing" : sent[connection.number / 6 % sent.count]
            let written = escaped(value, way: connection.number / 12 % 3)
            let echo = #"{"error":{"errorCode":"210","message":"no: \#(written)"}}"#
            switch connection.number % 6 {
            case 0: try connection.send(RawResponder.answer("200 OK", body: keyBody))
            case 1: try connection.send(RawResponder.answer("401 No", body: ""))
            case 2: try connection.send(RawResponder.answer("503 No", body: "<html></html>"))
            case 3: connection.reset()
            case 4: try connection.send("HTTP/1.1 200 OK\r\nX-Echo: \(request.head.count)\r\n")
            default:
                let header = "x-ncp-apigw-request-id: \(value)"
                try connection.send(RawResponder.answer("403 No", headers: [header], body: echo))
            }
        }
    }

    /// As it is, with an escape for its first character, and as JSON inside of JSON.
    private static func escaped(_ text: Substring, way: Int) -> String {
        let first = text.unicodeScalars.prefix(1).map { "u00" + String($0.value, radix: 16) }.joined()
        let plain = text.replacing("/", with: "\\\\/")
        return ["\(text)", "\\\(first)\(text.dropFirst())", "\\\\\(first)\(plain.dropFirst())"][way]
    }

    @Test(arguments: ways, ["text", "json"])
    func `neither output holds a secret, a token or a signature`(way: String, format: String) async throws {
        let folder = try TemporaryDirectory()
        let service = try Self.service()
        defer { service.stop() }
        var variables = try Self.variables(way, folder)
        variables["NCLOUD_KMS_ENDPOINT"] = service.baseURL
        let outcome = try await ServiceProcess.run(
            arguments: ["--log-level", "trace", "--log-format", format], environment: variables
        ) { (process) async throws in
            var output = ""
            for id in 0..<24 {
                output += try await process.answer(to: Lines.getPublicKey(id, "k\(id)")) ?? ""
                output += try await process.answer(to: Lines.request(id, "getStatus")) ?? ""
            }
            output += try await process.answer(to: Lines.request(1, "getPublicKey", #"{"keyTag":"\u0001"}"#)) ?? ""
            try process.send("no JSON")
            output += await process.nextLine() ?? ""
            return output
        }
        #expect(outcome.status == 0)
        #expect(outcome.log.contains("serving"))
        Self.search(outcome.result + outcome.log, service.requests, way)
        let sends = ["environment", "profile", "token", "token file"].contains(way)
        // So many that each way of repeating them came with each of them.
        #expect(sends ? service.requests.count > 35 : service.requests.isEmpty)
        // The search would find a signature: there were some.
        #expect(
            service.requests.allSatisfy {
                $0.head.contains(way.hasPrefix("token") ? Self.token : "x-ncp-apigw-signature-v2: ")
            })
        if sends, format == "json" { #expect(outcome.log.contains("attempt started")) }
    }

    @Test(arguments: [["--help"], ["--version"], ["serve", "--help"], ["--no-such-flag"], ["--zone", "fin"]])
    func `nor does what the program says without serving`(arguments: [String]) async throws {
        let folder = try TemporaryDirectory()
        for way in ["environment", "token", "a damaged profile"] {
            let outcome = try await ServiceProcess.answers(
                to: "", arguments: arguments, environment: try Self.variables(way, folder))
            Self.search(outcome.result.joined() + outcome.log, [], "\(arguments)")
            #expect(!(outcome.result.joined() + outcome.log).isEmpty)
        }
    }

    @Test func `an access key id is told by its first four characters`() async throws {
        let folder = try TemporaryDirectory()
        let service = try Self.service()
        defer { service.stop() }
        _ = try await ServiceProcess.run(
            endpoint: service.baseURL, more: try Self.variables("environment", folder)
        ) { (process) async throws in
            #expect(try await process.getPublicKey(#"{"keyTag":"k"}"#).code == nil)
            #expect(try await process.status()["credentials"]?["accessKeyId"]?.string == "PLAN…")
        }
    }
}
