import KMSPlatform
import KMSTestSupport
import Testing

struct QueueTests {
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `elements leave in the order in which they came, however the two mix`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = Queue<Int>()
        var next = 0
        var expected = 0
        for _ in 0..<1_000 {
            if Bool.random(using: &random) {
                queue.append(next)
                next += 1
            } else {
                #expect(queue.isEmpty == (expected == next))
                #expect(queue.first == (expected == next ? nil : expected))
                let element = queue.popFirst()
                #expect(element == (expected == next ? nil : expected))
                if element != nil { expected += 1 }
            }
        }
    }
}
