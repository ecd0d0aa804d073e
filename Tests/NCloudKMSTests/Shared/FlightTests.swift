import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct FlightTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    private func flight(isRefresh: Bool = false) throws -> Flight {
        Flight(
            PublicKeyRequest(keyTag: try KeyTag("a"), version: nil),
            try SharedSeal(secret: SecretBytes("secret"), baseURL: "https://example.com"), number: 1, marker: "me",
            names: SharedKeyNames(prefix: "nkms", "0"), limit: .seconds(300), patience: start + .seconds(15),
            isRefresh: isRefresh)
    }

    @Test func `leads, or asks for itself`() throws {
        var leader = try flight()
        #expect(leader.answered(.lead, now: start, random: 0) == .fetch)
        #expect(leader.role == .leading)
        var single = try flight()
        #expect(single.answered(.alone, now: start, random: 0) == .fetch)
        #expect(single.role == .alone)
    }

    @Test func `asks again while another process leads, after growing pauses, until its patience ends`() throws {
        var flight = try flight()
        var now = start
        var pauses: [Int64] = []
        while case .ask(let next) = flight.answered(.wait, now: now, random: 0.5) {
            pauses.append((next - now).milliseconds)
            now = next
        }
        #expect(pauses.prefix(6) == [20, 40, 80, 160, 250, 250])
        #expect(now == start + .seconds(15))
        #expect(flight.role == .alone)
    }

    @Test(arguments: [(0.0, Int64(10)), (0.999, 29)])
    func `the pauses differ by half`(random: Double, expected: Int64) throws {
        var flight = try flight()
        guard case .ask(let next) = flight.answered(.wait, now: start, random: random) else {
            Issue.record("does not ask again")
            return
        }
        #expect((next - start).milliseconds == expected)
    }

    @Test func `leads after the leader is gone`() throws {
        var flight = try flight()
        _ = flight.answered(.wait, now: start, random: 0)
        #expect(flight.answered(.lead, now: start + .seconds(1), random: 0) == .fetch)
        #expect(flight.role == .leading)
    }

    @Test func `passes over what it can't use, three times`() throws {
        var flight = try flight()
        for number in UInt8(1)...3 {
            let news = (flight.passOver([number]), flight.passOver([number]))
            #expect(news == (true, false))
            #expect(flight.answered(.unusable, now: start, random: 0) == .ask(at: start))
            #expect(flight.passedOver == [number])
        }
        #expect(flight.answered(.unusable, now: start, random: 0) == .fetch)
        #expect(flight.role == .alone)
    }

    @Test(arguments: [Flight.Answer.wait, .alone])
    func `a refresh needs the marker`(answer: Flight.Answer) throws {
        var refresh = try flight(isRefresh: true)
        #expect(refresh.answered(answer, now: start, random: 0) == .giveUp)
        var leader = try flight(isRefresh: true)
        #expect(leader.answered(.lead, now: start, random: 0) == .fetch)
    }

    @Test func `a marker has 16 random bytes in hexadecimal`() {
        let markers = (0..<100).map { _ in Flight.randomMarker() }
        #expect(Set(markers).count == 100)
        #expect(markers.allSatisfy { $0.utf8.count == 32 && $0.utf8.allSatisfy("0123456789abcdef".utf8.contains) })
        // No part is the same in all: each has its own.
        for place in 0..<32 { #expect(Set(markers.map { Array($0.utf8)[place] }).count > 1) }
    }

    static let replies: [(EngineReply, FlightReply.Kind?)] = [
        (.array([.bytes(Array("lead".utf8)), .integer(7)]), .lead),
        (.array([.bytes(Array("wait".utf8)), .integer(7)]), .wait),
        (.array([.bytes(Array("alone".utf8)), .integer(7)]), .alone),
        (.array([.bytes(Array("entry".utf8)), .integer(7), .bytes([1, 2])]), .entry([1, 2])),
        (.array([.bytes(Array("entry".utf8)), .integer(7)]), nil),
        (.array([.bytes(Array("entry".utf8)), .integer(7), .null]), nil),
        (.array([.bytes(Array("lead".utf8)), .bytes([55])]), nil),
        (.array([.bytes(Array("lead".utf8)), .integer(7), .bytes([1])]), nil),
        (.array([.bytes(Array("done".utf8)), .integer(7)]), .done),
        (.array([.bytes(Array("kept".utf8)), .integer(7)]), .kept),
        (.array([.bytes(Array("kept".utf8)), .integer(7), .bytes([1])]), nil),
        (.array([.bytes(Array("other".utf8)), .integer(7)]), nil),
        (.array([]), nil), (.status(Array("OK".utf8)), nil), (.null, nil),
    ]

    @Test(arguments: replies)
    func `reads the script's answers`(reply: EngineReply, kind: FlightReply.Kind?) {
        #expect(FlightReply(reply)?.kind == kind)
    }

    static let lookUps: [([UInt8]?, [UInt8]?, FlightReply.Kind)] = [
        ([1], nil, .entry([1])), ([1], [2], .entry([1])), (nil, nil, .alone), (nil, [48], .alone), (nil, [49], .wait),
    ]

    @Test(arguments: lookUps)
    func `a plain look-up says the same`(entry: [UInt8]?, marker: [UInt8]?, kind: FlightReply.Kind) {
        #expect(FlightReply(entry: entry, marker: marker, engineTime: 7).kind == kind)
    }
}
