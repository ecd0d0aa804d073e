import KMSPlatform
import Testing

@Suite struct LockTests {
    @Test func `concurrent increments are all counted`() async {
        let counter = Lock(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 { counter.withLock { $0 += 1 } }
                }
            }
        }
        #expect(counter.withLock { $0 } == 8_000)
    }

    @Test func `the lock is released when the body throws`() {
        struct Failure: Error {}
        let lock = Lock(1)
        #expect(throws: Failure.self) { try lock.withLock { _ throws(Failure) in throw Failure() } }
        #expect(lock.withLock { $0 } == 1)
    }
}
