import Platform
import Testing

@testable import NCloudKMS

@Suite struct FetchTableTests {
    typealias Table = FetchTable<String, Int>

    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func join(
        _ table: inout Table, _ waiter: Int, maximumAge: Duration? = nil, at arrival: Instant? = nil,
        deadline: Instant = .distantFuture
    ) -> (place: Table.WaiterID, isNew: Bool) {
        table.join(
            "key", limit: AgeLimit(maximumAge, timeToLive: .seconds(300)), arrival: arrival ?? start,
            deadline: deadline, waiter: waiter)
    }

    @Test func `256 equal calls at once are one fetch`() {
        var table = Table()
        let joined = (0..<256).map { join(&table, $0) }
        #expect(joined.filter(\.isNew).count == 1)
        #expect(Set(joined.map(\.place.fetch)).count == 1)
        #expect(table.coalesced == 255)
        #expect(table.count == 1)
        #expect(table.end(joined[0].place.fetch) == Array(0..<256))
        #expect(table.end(joined[0].place.fetch) == [])
        #expect(table.count == 0)
        #expect(join(&table, 0).isNew)
    }

    private func leave(_ table: inout Table, _ place: Table.WaiterID) -> (waiter: Int, isAbandoned: Bool)? {
        table.leave(place)
    }

    static let ages: [(Duration?, Duration, Bool)] = [
        (nil, .seconds(300), true), (nil, .seconds(301), false), (.seconds(5), .seconds(5), true),
        (.seconds(5), .seconds(6), false), (.zero, .zero, false), (.zero, .nanoseconds(1), false),
        (.seconds(1_000), .seconds(301), false),
    ]

    @Test(arguments: ages)
    func `a fetch is joined if its answer will be young enough`(
        maximumAge: Duration?, sinceStart: Duration, isJoined: Bool
    ) {
        var table = Table()
        let first = join(&table, 0)
        table.started(first.place.fetch, now: start)
        let second = join(&table, 1, maximumAge: maximumAge, at: start + sinceStart)
        #expect(second.isNew != isJoined)
        #expect((second.place.fetch == first.place.fetch) == isJoined)
    }

    @Test func `a fetch that waits to be sent is shared by calls that want the newest`() {
        var table = Table()
        let first = join(&table, 0, maximumAge: .zero)
        #expect(!join(&table, 1, maximumAge: .zero, at: start + .seconds(10)).isNew)
        table.started(first.place.fetch, now: start + .seconds(20))
        // It started after this call arrived, which another thread saw late.
        #expect(!join(&table, 2, maximumAge: .zero, at: start + .seconds(19)).isNew)
        #expect(join(&table, 3, maximumAge: .zero, at: start + .seconds(20)).isNew)
        #expect(table.count == 2)
    }

    @Test func `of several fetches the newest is joined`() {
        var table = Table()
        let first = join(&table, 0)
        table.started(first.place.fetch, now: start)
        let second = join(&table, 1, maximumAge: .zero, at: start + .seconds(1))
        table.started(second.place.fetch, now: start + .seconds(1))
        #expect(join(&table, 2, at: start + .seconds(2)).place.fetch == second.place.fetch)
        #expect(table.end(second.place.fetch) == [1, 2])
        #expect(join(&table, 3, at: start + .seconds(2)).place.fetch == first.place.fetch)
    }

    @Test func `a repeat does not make a fetch younger`() {
        var table = Table()
        let fetch = join(&table, 0).place.fetch
        #expect(table.start(of: fetch) == nil)
        table.started(fetch, now: start)
        table.started(fetch, now: start + .seconds(9))
        #expect(table.start(of: fetch) == start)
    }

    @Test func `only the last caller to leave aborts the fetch, and nobody joins it then`() throws {
        var table = Table()
        let first = join(&table, 10)
        let second = join(&table, 20)
        let left = try #require(leave(&table, first.place))
        #expect(left.waiter == 10)
        #expect(!left.isAbandoned)
        #expect(leave(&table, first.place) == nil)
        let last = try #require(leave(&table, second.place))
        #expect(last.waiter == 20)
        #expect(last.isAbandoned)
        #expect(table.count == 0)
        #expect(join(&table, 30).isNew)
        #expect(table.end(first.place.fetch) == [])
    }

    @Test func `a fetch lives until the latest of its callers' deadlines`() throws {
        var table = Table()
        let first = join(&table, 0, deadline: start + .seconds(1))
        let second = join(&table, 1, deadline: start + .seconds(5))
        #expect(table.deadline(of: first.place.fetch) == start + .seconds(5))
        _ = table.leave(second.place)
        #expect(table.deadline(of: first.place.fetch) == start + .seconds(1))
        _ = table.leave(first.place)
        #expect(table.deadline(of: first.place.fetch) == nil)
    }

    @Test func `a refresh needs no caller and is made once`() throws {
        var table = Table()
        let began = table.beginRefresh("key", deadline: start + .seconds(30))
        let refresh = try #require(began)
        #expect(table.beginRefresh("key", deadline: start) == nil)
        let caller = join(&table, 7, deadline: start + .seconds(60))
        #expect(!caller.isNew)
        #expect(table.deadline(of: refresh) == start + .seconds(60))
        let left = try #require(leave(&table, caller.place))
        #expect(!left.isAbandoned)
        #expect(table.deadline(of: refresh) == start + .seconds(30))
        #expect(table.end(refresh) == [])
        #expect(table.count == 0)
    }

    @Test func `keys do not share`() {
        var table = Table()
        #expect(join(&table, 0).isNew)
        let limit = AgeLimit(nil, timeToLive: .seconds(300))
        #expect(table.join("other", limit: limit, arrival: start, deadline: start, waiter: 1).isNew == true)
        #expect(table.coalesced == 0)
    }

    @Test func `a fetch under another key keeps its callers and is joined under the new one alone`() {
        var table = Table()
        let first = join(&table, 0)
        table.move(first.place.fetch, to: "other")
        #expect(join(&table, 1).isNew)
        let limit = AgeLimit(nil, timeToLive: .seconds(300))
        let joined = table.join("other", limit: limit, arrival: start, deadline: .distantFuture, waiter: 2)
        #expect(joined.place.fetch == first.place.fetch)
        #expect(table.end(first.place.fetch) == [0, 2])
        #expect(table.count == 1)
    }
}
