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

    @Test func `a connection for control requests counts nowhere`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        counters.controlRequestBegan(on: 1)
        counters.controlRequestBegan(on: 1)
        #expect(counters.state == EmulatorState())
        #expect(counters.idleSockets.isEmpty)
    }

    @Test func `a busy connection is not idle`() {
        var counters = Counters()
        counters.connectionOpened(1, socket: 10)
        counters.connectionOpened(2, socket: 11)
        _ = counters.requestBegan(on: 1, keyTag: "a")
        #expect(counters.idleSockets == [11])
        counters.requestEnded(on: 1, isAborted: true)
        #expect(counters.idleSockets.sorted() == [10, 11])
        #expect(counters.state.aborted == 1)
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
