import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct SerialWorkerTests {
    @Test func `work runs in order, one at a time, on no caller's thread`() async throws {
        let worker = SerialWorker(name: "test-worker")
        let log = Lock<(order: [Int], running: Int, mostRunning: Int)>(([], 0, 0))
        let caller = pthread_self()
        for number in 0..<1_000 {
            try worker.run {
                log.withLock { log in
                    log.running += 1
                    log.mostRunning = max(log.mostRunning, log.running)
                }
                log.withLock { log in
                    log.order.append(pthread_equal(pthread_self(), caller) == 0 ? number : -1)
                    log.running -= 1
                }
            }
        }
        await withCheckedContinuation { continuation in
            do { try worker.run { continuation.resume() } } catch { Issue.record(error) }
        }
        #expect(log.withLock { $0.order } == Array(0..<1_000))
        #expect(log.withLock { $0.mostRunning } == 1)
    }

    @Test func `work that comes after a rest runs, too`() async throws {
        let worker = SerialWorker(name: "test-worker")
        for _ in 0..<200 {
            // The thread has ended, or is about to.
            await withCheckedContinuation { continuation in
                do { try worker.run { continuation.resume() } } catch { Issue.record(error) }
            }
        }
    }
}
