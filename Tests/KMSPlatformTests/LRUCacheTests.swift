import KMSPlatform
import KMSTestSupport
import Testing

@Suite struct LRUCacheTests {
    @Test func `the entry used least recently goes first`() {
        var cache = LRUCache<String, Int>(capacity: 2)
        cache.insert(1, forKey: "a")
        cache.insert(2, forKey: "b")
        #expect(cache.value(forKey: "a") == 1)
        let evicted = cache.insert(3, forKey: "c")
        #expect(evicted?.key == "b")
        #expect(evicted?.value == 2)
        #expect(cache.value(forKey: "b") == nil)
        #expect(cache.value(forKey: "a") == 1)
        #expect(cache.value(forKey: "c") == 3)
    }

    @Test func `a new value for a known key evicts nothing and counts as use`() {
        var cache = LRUCache<String, Int>(capacity: 2)
        cache.insert(1, forKey: "a")
        cache.insert(2, forKey: "b")
        #expect(cache.insert(10, forKey: "a") == nil)
        #expect(cache.count == 2)
        #expect(cache.insert(3, forKey: "c")?.key == "b")
        #expect(cache.value(forKey: "a") == 10)
    }

    @Test func `a removed entry makes room`() {
        var cache = LRUCache<String, Int>(capacity: 2)
        cache.insert(1, forKey: "a")
        cache.insert(2, forKey: "b")
        #expect(cache.removeValue(forKey: "b") == 2)
        #expect(cache.removeValue(forKey: "b") == nil)
        #expect(cache.insert(3, forKey: "c") == nil)
        #expect(cache.insert(4, forKey: "d")?.key == "a")
    }

    @Test func `a cache of one entry holds the last`() {
        var cache = LRUCache<Int, Int>(capacity: 1)
        for key in 0..<5 { cache.insert(key, forKey: key) }
        #expect(cache.count == 1)
        #expect(cache.value(forKey: 4) == 4)
        #expect(cache.removeValue(forKey: 4) == 4)
        #expect(cache.count == 0)
        #expect(cache.insert(9, forKey: 9) == nil)
    }

    @Test func `a value that left is released at once`() {
        final class Object {}
        var cache = LRUCache<Int, Object>(capacity: 1)
        weak var first: Object?
        do {
            let object = Object()
            first = object
            cache.insert(object, forKey: 1)
        }
        #expect(first != nil)
        cache.insert(Object(), forKey: 2)
        #expect(first == nil)
    }

    @Test func `copies are independent`() {
        var cache = LRUCache<Int, Int>(capacity: 2)
        cache.insert(1, forKey: 1)
        var copy = cache
        copy.insert(2, forKey: 1)
        #expect(cache.value(forKey: 1) == 1)
        #expect(copy.value(forKey: 1) == 2)
    }

    @Test(arguments: [1, 2, 3, 7, 16])
    func `it behaves as a list in order of use`(capacity: Int) {
        var random = SeededGenerator(seed: UInt64(capacity))
        var cache = LRUCache<Int, Int>(capacity: capacity)
        /// The oldest first.
        var model: [(key: Int, value: Int)] = []
        for step in 0..<5_000 {
            let key = Int.random(in: 0..<(2 * capacity), using: &random)
            let index = model.firstIndex { $0.key == key }
            let known = index.map { model.remove(at: $0) }
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                #expect(cache.removeValue(forKey: key) == known?.value)
            case 1, 2:
                #expect(cache.value(forKey: key) == known?.value)
                if let known { model.append(known) }
            default:
                let oldest = known == nil && model.count == capacity ? model.removeFirst() : nil
                let evicted = cache.insert(step, forKey: key)
                #expect(evicted?.key == oldest?.key)
                #expect(evicted?.value == oldest?.value)
                model.append((key, step))
            }
            #expect(cache.count == model.count)
        }
    }
}
