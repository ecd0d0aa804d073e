import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// `getStatus` tells what happened.
@Suite(.timeLimit(.minutes(5))) struct ResilienceStatusTests {
    @Test func `every figure is what the calls before it make of it`() async throws {
        let faults = ["status=503,code=500,count=1,key=demo-rsa", "code=410,count=1,key=demo-ec"]
        try await EmulatedKMS.with(faults: faults) { kms in
            _ = try await kms.run { process in
                let start = try await process.status()
                #expect(start["credentials"]?.isNull == true)
                #expect(start["upstream"]?["p50Ms"]?.isNull == true)
                #expect(start["upstream"]?["attempts"]?.integer == 0)

                // 503, then the key; from the cache; throttled, then the key; no such key; unusable; no such method.
                #expect(try await process.getPublicKey(#"{"keyTag":"demo-rsa"}"#).attempts == 2)
                #expect(try await process.getPublicKey(#"{"keyTag":"demo-rsa"}"#).source == "cache")
                #expect(try await process.getPublicKey(#"{"keyTag":"demo-ec"}"#).attempts == 2)
                #expect(try await process.getPublicKey(#"{"keyTag":"nobody"}"#).code == 1004)
                #expect(try await process.getPublicKey(#"{"keyTag":"demo-aes"}"#).code == 1005)
                #expect(try await process.ask(Lines.probe(1)).code == -32601)

                let status = try await process.status()
                #expect(status["version"]?.string == ProgramVersion.text)
                #expect(status["pid"]?.integer == Int(process.processID))
                #expect(status["endpoint"]?.string == kms.emulator.endpoint)
                #expect(status["zone"]?.string == "public")
                #expect(status["credentials"]?["source"]?.string == "the environment")
                #expect(status["credentials"]?["accessKeyId"]?.string == "DEMO…")
                #expect(status["clockSkewMs"]?.integer == 0)
                #expect((status["uptimeMs"]?.integer ?? -1) >= (start["uptimeMs"]?.integer ?? 0))
                let requests = try #require(status["requests"])
                #expect(requests["received"]?.integer == 8)
                #expect(requests["answered"]?.integer == 7)
                #expect(requests["inFlight"]?.integer == 1)
                #expect(
                    requests["failed"]?["byCode"].map { JSONText(value: $0).value.text }
                        == #"{"-32601":1,"1004":1,"1005":1}"#)
                let upstream = try #require(status["upstream"])
                #expect(upstream["attempts"]?.integer == 6)
                #expect(upstream["retries"]?.integer == 2)
                #expect(upstream["throttled"]?.integer == 1)
                #expect(upstream["failures"]?.integer == 4)
                #expect(upstream["p50Ms"]?.kind == .number && upstream["p99Ms"]?.kind == .number)
                let cache = try #require(status["cache"])
                #expect(cache["entries"]?.integer == 2)
                #expect(cache["hits"]?.integer == 1)
                #expect(cache["misses"]?.integer == 4)
                #expect(cache["stale"]?.integer == 0)
                #expect(cache["coalesced"]?.integer == 0)
                #expect(status["limiter"]?["waiting"]?.integer == 0)
                #expect(status["retryQuota"]?["available"]?.integer == 500)
                #expect(status["retryQuota"]?["capacity"]?.integer == 500)
            }
            #expect(kms.emulator.state.total == 6)
        }
    }

    @Test func `calls under way are counted as such`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            _ = try await kms.run { process in
                for id in 0..<40 { try process.send(Lines.getPublicKey(id, "k\(id % 20)")) }
                try await kms.emulator.waitForState { $0.total == 20 }
                let status = try await process.status()
                #expect(status["requests"]?["inFlight"]?.integer == 41)
                #expect(status["upstream"]?["attempts"]?.integer == 20)
                #expect(status["upstream"]?["failures"]?.integer == 0)
                #expect(status["cache"]?["coalesced"]?.integer == 20)
                for id in 0..<40 { try process.send(Lines.cancel(id)) }
                for _ in 0..<40 { _ = try await process.nextFaultAnswer() }
                #expect(try await process.status()["requests"]?["inFlight"]?.integer == 1)
            }
        }
    }
}
