// A client in Swift, with Foundation only: one call at a time. (A Swift package can use the library NCloudKMS instead.)
//
//     swiftc client.swift && ncloud-kms-emulator -- ./client demo-ec no-such-key
import Foundation

struct KMSError: Error, Decodable {
    struct Details: Decodable {
        let type: String
        let retryable: Bool
    }
    let code: Int
    let message: String
    let data: Details
}

struct PublicKey: Decodable {
    let publicKey, keyType, spkiSha256: String
    let keySize: Int
}

final class Service {
    struct Answer<Result: Decodable>: Decodable {
        let result: Result?
        let error: KMSError?
    }
    struct Ended: Error {}

    let process = Process(), input = Pipe(), output = Pipe()

    init() throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ncloud-kms-rpc", "--log-level", "warning"]
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
    }

    func call<Result: Decodable>(_ method: String, _ params: [String: Any], as _: Result.Type) throws -> Result {
        let request: [String: Any] = ["jsonrpc": "2.0", "id": 1, "method": method, "params": params]
        try input.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: request) + Data("\n".utf8))
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) { line += byte }
        guard !line.isEmpty else { throw Ended() }
        let answer = try JSONDecoder().decode(Answer<Result>.self, from: line)
        if let error = answer.error { throw error }
        return answer.result!
    }
}

let service = try Service()
for tag in CommandLine.arguments.dropFirst() {
    do {
        let key = try service.call("getPublicKey", ["keyTag": tag], as: PublicKey.self)
        print(tag, key.keyType, key.keySize, key.spkiSha256)
    } catch let error as KMSError {
        print(tag, error.data.type, error.code, error.data.retryable ? "try again" : "don't try again")
    }
}
try service.input.fileHandleForWriting.close()
service.process.waitUntilExit()
exit(service.process.terminationStatus)
