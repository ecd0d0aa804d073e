import KMSPlatform
import KMSTestSupport
import Testing

@Suite struct DeadlineHeapTests {
    /// The values of a map, and their ids by value.
    private struct Names {
        private(set) var map = SlotMap<String>()
        private var ids: [String: SlotMap<String>.ID] = [:]

        subscript(name: String) -> SlotMap<String>.ID {
            mutating get {
                if let id = ids[name] { return id }
                let id = map.insert(name)
                ids[name] = id
                return id
            }
        }
    }

    private func instant(_ nanoseconds: Int) -> Instant { Instant(nanoseconds: Int64(nanoseconds)) }

    /// Takes out everything that is due.
    private func drain(_ heap: inout DeadlineHeap<String>, _ names: Names) -> [String] {
        var drained: [String] = []
        while let id = heap.popDue(by: instant(.max)) { drained.append(names.map[id] ?? "removed") }
        return drained
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
        var names = Names()
        var heap = DeadlineHeap<String>()
        for (name, due) in inserted { heap.insert(names[name], due: instant(due)) }
        #expect(drain(&heap, names) == order)
        #expect(heap.next == nil)
    }

    @Test func `nothing comes out before it is due, and at its instant it does`() {
        var names = Names()
        var heap = DeadlineHeap<String>()
        heap.insert(names["a"], due: instant(10))
        heap.insert(names["never"], due: .distantFuture)
        #expect(heap.popDue(by: instant(9)) == nil)
        #expect(heap.next == instant(10))
        #expect(heap.popDue(by: instant(10)) == names["a"])
        #expect(heap.next == .distantFuture)
    }

    @Test func `a removed id does not come out`() {
        var names = Names()
        var heap = DeadlineHeap<String>()
        for (index, name) in ["a", "b", "c"].enumerated() { heap.insert(names[name], due: instant(index)) }
        #expect(heap.remove(names["b"]) == instant(1))
        #expect(heap.remove(names["b"]) == nil)
        #expect(heap.remove(names["x"]) == nil)
        #expect(drain(&heap, names) == ["a", "c"])
    }

    @Test func `the next user of a slot does not remove what is left of the one before`() {
        var map = SlotMap<String>()
        var heap = DeadlineHeap<String>()
        let first = map.insert("first")
        heap.insert(first, due: instant(1))
        map.remove(first)
        let second = map.insert("second")
        #expect(second.index == first.index)
        #expect(heap.remove(second) == nil)
        #expect(heap.popDue(by: instant(1)) == first)
    }

    @Test func `the next user of a slot takes the place of one that was left in the heap`() {
        var map = SlotMap<String>()
        var heap = DeadlineHeap<String>()
        let first = map.insert("first")
        heap.insert(first, due: instant(1))
        map.remove(first)
        let second = map.insert("second")
        heap.insert(second, due: instant(2))
        #expect(heap.next == instant(2))
        #expect(heap.popDue(by: instant(2)) == second)
        #expect(heap.next == nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `any mix of steps gives what a sorted list gives`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var map = SlotMap<Int>()
        let ids = (0..<200).map { map.insert($0) }
        var heap = DeadlineHeap<Int>()
        var list: [(due: Int, order: Int, id: Int)] = []
        for order in 0..<2_000 {
            let id = Int.random(in: 0..<200, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let due = Int.random(in: 0..<100, using: &random)
                heap.insert(ids[id], due: instant(due))
                list.removeAll { $0.id == id }
                list.append((due, order, id))
            case 6, 7:
                let expected = list.first { $0.id == id }.map { instant($0.due) }
                #expect(heap.remove(ids[id]) == expected)
                list.removeAll { $0.id == id }
            default:
                let now = Int.random(in: 0..<100, using: &random)
                let earliest = list.min { ($0.due, $0.order) < ($1.due, $1.order) }
                let expected = earliest.flatMap { $0.due <= now ? $0.id : nil }
                #expect(heap.popDue(by: instant(now)) == expected.map { ids[$0] })
                if let expected { list.removeAll { $0.id == expected } }
            }
            #expect(heap.next == list.map(\.due).min().map(instant))
        }
    }
}
