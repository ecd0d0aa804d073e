import KMSTestSupport
import Testing

@testable import KMSPlatform

/// What a table of watches finds with `poll`, without a loop.
@Suite final class WatchTableTests {
    private final class Source: EventSource {
        func run() -> Duration? { nil }

        func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {}
    }

    private let source = Source()
    private let waker: (read: CInt, write: CInt)
    private var pipes: [(read: CInt, write: CInt)] = []
    private var table: WatchTable

    init() throws {
        waker = try Descriptors.pipe(isNonBlocking: true)
        table = WatchTable(waker: waker.read)
    }

    deinit {
        for pipe in pipes + [waker] {
            close(pipe.read)
            close(pipe.write)
        }
    }

    /// Watches a pipe with something to read.
    private func watchFilled(isUrgent: Bool = false) throws -> EventLoop.Watch {
        let pipe = try Descriptors.pipe(isNonBlocking: true)
        pipes.append(pipe)
        write(pipe.write, "x", 1)
        return table.insert(pipe.read, for: .readable, isUrgent: isUrgent, by: source)
    }

    private func poll() {
        let succeeded = table.poll(timeout: 0)
        #expect(succeeded)
    }

    private func others() -> [EventLoop.Watch] {
        var watches: [EventLoop.Watch] = []
        while let found = table.takeOther() { watches.append(found.watch) }
        return watches
    }

    @Test func `the waker, the urgent and the others are told apart, and each is found once`() throws {
        let other = try watchFilled()
        let urgent = try watchFilled(isUrgent: true)
        write(waker.write, "x", 1)
        poll()
        let isWoken = table.takeWaker()
        #expect(isWoken)
        #expect(table.takeUrgent()?.watch == urgent)
        #expect(table.takeUrgent()?.watch == nil)
        #expect(others() == [other])
        #expect(!table.hasFound)
        let isWokenAgain = table.takeWaker()
        #expect(!isWokenAgain)
    }

    @Test func `the search for others goes on after the one that was found last`() throws {
        let watches = try (0..<3).map { _ in try watchFilled() }
        poll()
        #expect(table.takeOther()?.watch == watches[0])
        poll()
        #expect(others() == [watches[1], watches[2], watches[0]])
    }

    @Test func `what was found of a watch that is removed or changed is not told`() throws {
        let watches = try (0..<3).map { _ in try watchFilled() }
        poll()
        table.remove(watches[0])
        table.change(watches[1], to: [])
        #expect(others() == [watches[2]])
        #expect(!table.hasFound)
    }

    @Test func `a place is given to one watch, even if its last one is removed twice`() throws {
        let watch = try watchFilled()
        table.remove(watch)
        table.remove(watch)
        let (first, second) = (try watchFilled(), try watchFilled())
        #expect(first.token == watch.token)
        #expect(second.token != first.token)
    }

    @Test func `a look at the urgent alone leaves what was found of the others`() throws {
        let other = try watchFilled()
        poll()
        let urgent = try watchFilled(isUrgent: true)
        #expect(table.takeUrgent()?.watch == nil)
        table.pollUrgent()
        #expect(table.takeUrgent()?.watch == urgent)
        #expect(others() == [other])
    }
}
