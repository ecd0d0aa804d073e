import Testing

@testable import KMSEmulator

@Suite struct CountersTests {
    @Test func `requests count for their key, their connection and in all`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        counters.connectionOpened(2, socket: 11)
        #expect(counters.requestBegan(on: 2, keyTag: "a") == 1)
        #expect(counters.requestBegan(on: 2, keyTag: nil) == 2)
        #expect(counters.requestBegan(on: 1, keyTag: "b") == 1)
        counters.connectionClosed(1)
        let state = counters.state
        #expect(state.total == 3)
        #expect(state.perKey == ["a": 1, "b": 1])
        #expect(state.perConnection == [1, 2])
        #expect(state.openConnections == 1)
        #expect(state.openedConnections == 2)
    }

    @Test func `a connection for control requests is not counted`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        counters.controlRequestBegan(on: 1)
        counters.controlRequestBegan(on: 1)
        #expect(counters.state == EmulatorState())
        let idle = counters.closeIdle()
        #expect(idle.isEmpty)
    }

    /// A client may ask for the health first.
    @Test func `the first other request makes it an ordinary connection`() {
        var counters = Counters()
        for number in 1...2 {
            counters.connectionOpened(number, socket: Int32(10 + number))
            counters.controlRequestBegan(on: number)
        }
        _ = counters.requestBegan(on: 1, keyTag: "a")
        counters.serverRoleRequestBegan(on: 2)
        #expect(counters.state.openedConnections == 2)
        #expect(counters.state.openConnections == 2)
        #expect(counters.state.perConnection == [1])
        for number in 1...2 { _ = counters.requestEnded(on: number, isAborted: false) }
        let idle = counters.closeIdle()
        #expect(Set(idle) == [11, 12])
        // After a reset nothing was opened.
        counters.reset()
        counters.controlRequestBegan(on: 1)
        _ = counters.requestBegan(on: 1, keyTag: "a")
        #expect(counters.state.openedConnections == 0)
    }

    @Test func `an idle connection is closed at once, a busy one when its request ends`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        counters.connectionOpened(2, socket: 11)
        _ = counters.requestBegan(on: 1, keyTag: "a")
        let closedAtOnce = counters.closeIdle()
        #expect(closedAtOnce == [11])
        let closedAtTheEnd = counters.requestEnded(on: 1, isAborted: false)
        #expect(closedAtTheEnd == 10)
    }

    @Test func `a request that ends leaves its connection open, and is counted when it was aborted`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        for isAborted in [false, true] {
            _ = counters.requestBegan(on: 1, keyTag: "a")
            let closed = counters.requestEnded(on: 1, isAborted: isAborted)
            #expect(closed == nil)
        }
        #expect(counters.state.aborted == 1)
        #expect(counters.state.openConnections == 1)
    }

    @Test(arguments: [1_000, 1_001, 2_001, 5_000])
    func `of many connections only the last 1,000 are reported`(count: Int) {
        var counters = Counters()
        for number in 1...count {
            counters.connectionOpened(number, socket: 10)
            // The older ones have two requests each.
            for _ in 0..<(number <= count - 1_000 ? 2 : 1) { _ = counters.requestBegan(on: number, keyTag: "a") }
            counters.connectionClosed(number)
        }
        #expect(counters.state.perConnection == Array(repeating: 1, count: 1_000))
        #expect(counters.state.openedConnections == count)
    }

    @Test func `open connections are among the last 1,000, too`() {
        var counters = Counters()
        for number in 1...1_500 {
            counters.connectionOpened(number, socket: 10)
            for _ in 0..<(number <= 500 ? 2 : 1) { _ = counters.requestBegan(on: number, keyTag: "a") }
        }
        #expect(counters.state.perConnection == Array(repeating: 1, count: 1_000))
        #expect(counters.state.openConnections == 1_500)
    }

    @Test func `a reset keeps the connections and forgets their past`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        counters.connectionOpened(2, socket: 11)
        _ = counters.requestBegan(on: 1, keyTag: "a")
        _ = counters.requestBegan(on: 2, keyTag: "a")
        counters.connectionClosed(2)
        counters.reset()
        var expected = EmulatorState()
        expected.openConnections = 1
        #expect(counters.state == expected)
        #expect(counters.requestBegan(on: 1, keyTag: "a") == 1)
        #expect(counters.state.perConnection == [1])
    }
}
