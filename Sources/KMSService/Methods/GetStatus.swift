import KMSJSON
import KMSJSONRPC
import NCloudKMS
import KMSPlatform

/// `getStatus`: the process's counters and what it uses, for people and for monitoring. Contains no secret.
struct GetStatus: Method {
    let name = "getStatus"

    private let zone: Zone
    private let version: String
    private let client: KMSClient
    private let clock: any TimeSource
    private let start: Instant

    init(zone: Zone, version: String, client: KMSClient, clock: any TimeSource = SystemClock()) {
        self.zone = zone
        self.version = version
        self.client = client
        self.clock = clock
        start = clock.now
    }

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        _ = try Parameters(params, names: Self.parameterNames)
        let status = client.assumeIsolated { $0.status() }
        let counters = call.connectionCounters
        let uptime = clock.now - start
        call.succeed { json in
            json.object { result in
                result.member("version", version)
                result.member("pid", Int(getpid()))
                result.member("uptimeMs", Int(uptime.milliseconds))
                result.member("endpoint", "\(client.endpoint)")
                result.member("zone", zone.rawValue)
                result.member("credentials", status.credentials)
                result.member("clockSkewMs", Int(status.clockSkew.milliseconds))
                result.member("requests", counters)
                result.member("upstream", status.upstream)
                result.member("cache", status.cache)
                result.member("limiter") { $0.object { $0.member("waiting", status.limiterWaiting) } }
                result.member("retryQuota", status.retryQuota)
                result.member("shared", status.shared)
            }
        }
    }
}

extension CredentialStatus: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { credentials in
            credentials.member("source", source)
            credentials.member("accessKeyId", accessKeyID)
        }
    }
}

extension ConnectionCounters: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { requests in
            requests.member("received", received)
            requests.member("answered", answered)
            requests.member("inFlight", inFlight)
            requests.member("failed") { failed in
                failed.object { failed in
                    failed.member("byCode") { byCode in
                        byCode.object { byCode in
                            for (code, count) in failures.sorted(by: { $0.key < $1.key }) {
                                byCode.member(named: String(code), count)
                            }
                        }
                    }
                }
            }
        }
    }
}

extension UpstreamStatus: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { upstream in
            upstream.member("attempts", attempts)
            upstream.member("retries", retries)
            upstream.member("throttled", throttled)
            upstream.member("failures", failures)
            upstream.member("p50Ms", p50Milliseconds)
            upstream.member("p99Ms", p99Milliseconds)
        }
    }
}

extension CacheStatus: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { cache in
            cache.member("entries", entries)
            cache.member("hits", hits)
            cache.member("misses", misses)
            cache.member("stale", stale)
            cache.member("coalesced", coalesced)
        }
    }
}

extension SharedStatus: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { shared in
            shared.member("url", url)
            shared.member("state", state.rawValue)
            shared.member("lastError", lastError)
            shared.member("commands", commands)
            shared.member("p50Ms", p50Milliseconds)
            shared.member("p99Ms", p99Milliseconds)
            shared.member("budget", budget)
            shared.member("keys", keys)
        }
    }
}

extension SharedStatus.Budget: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { budget in
            budget.member("granted", granted)
            budget.member("asked", asked)
            budget.member("refused", refused)
            budget.member("local", local)
        }
    }
}

extension SharedStatus.Keys: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { keys in
            keys.member("hits", hits)
            keys.member("misses", misses)
            keys.member("stored", stored)
            keys.member("rejected", rejected)
            keys.member("led", led)
            keys.member("followed", followed)
        }
    }
}

extension RetryQuotaStatus: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { quota in
            quota.member("available", available)
            quota.member("capacity", capacity)
        }
    }
}
