import Platform
import TestSupport
import Testing

@testable import NCloudKMS

@Suite struct DeadlineHeapTests {
    private func instant(_ nanoseconds: Int) -> Instant { Instant(nanoseconds: Int64(nanoseconds)) }

    /// Takes out everything that is due.
    private func drain(_ heap: inout DeadlineHeap<String>, by now: Int = .max) -> [String] {
        var ids: [String] = []
        while let id = heap.popDue(by: instant(now)) { ids.append(id) }
        return ids
    }

    @Test(
        arguments: [
            ([], []), ([("a", 1)], ["a"]), ([("b", 2), ("a", 1)], ["a", "b"]),
            ([("a", 3), ("b", 1), ("c", 2), ("d", 0)], ["d", "b", "c", "a"]),
            // The same instant: as they came.
            ([("c", 1), ("a", 1), ("b", 1), ("z", 0)], ["z", "c", "a", "b"]),
            // Moved: the new instant counts, and the new place in line.
            ([("a", 1), ("b", 2), ("a", 3)], ["b", "a"]), ([("a", 1), ("b", 1), ("a", 1)], ["b", "a"]),
        ] as [([(String, Int)], [String])])
    func `ids come out by their instants`(inserted: [(String, Int)], order: [String]) {
        var heap = DeadlineHeap<String>()
        for (id, due) in inserted { heap.insert(id, due: instant(due)) }
        #expect(heap.count == order.count)
        #expect(drain(&heap) == order)
        #expect(heap.isEmpty && heap.next == nil)
    }

    @Test func `nothing comes out before it is due, and at its instant it does`() {
        var heap = DeadlineHeap<String>()
        heap.insert("a", due: instant(10))
        heap.insert("never", due: .distantFuture)
        #expect(heap.popDue(by: instant(9)) == nil)
        #expect(heap.next == instant(10))
        #expect(heap.popDue(by: instant(10)) == "a")
        #expect(heap.next == .distantFuture)
    }

    @Test func `a removed id does not come out`() {
        var heap = DeadlineHeap<String>()
        for (index, id) in ["a", "b", "c"].enumerated() { heap.insert(id, due: instant(index)) }
        #expect(heap.remove("b") == instant(1))
        #expect(heap.remove("b") == nil)
        #expect(heap.remove("x") == nil)
        #expect(drain(&heap) == ["a", "c"])
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `any mix of steps gives what a sorted list gives`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var heap = DeadlineHeap<Int>()
        var list: [(due: Int, order: Int, id: Int)] = []
        for order in 0..<2_000 {
            let id = Int.random(in: 0..<200, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let due = Int.random(in: 0..<100, using: &random)
                heap.insert(id, due: instant(due))
                list.removeAll { $0.id == id }
                list.append((due, order, id))
            case 6, 7:
                let expected = list.first { $0.id == id }.map { instant($0.due) }
                #expect(heap.remove(id) == expected)
                list.removeAll { $0.id == id }
            default:
                let now = Int.random(in: 0..<100, using: &random)
                let earliest = list.min { ($0.due, $0.order) < ($1.due, $1.order) }
                let expected = earliest.flatMap { $0.due <= now ? $0.id : nil }
                #expect(heap.popDue(by: instant(now)) == expected)
                if let expected { list.removeAll { $0.id == expected } }
            }
            #expect(heap.count == list.count)
            #expect(heap.next == list.map(\.due).min().map(instant))
        }
    }
}
