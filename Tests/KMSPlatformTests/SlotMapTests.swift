import KMSPlatform
import KMSTestSupport
import Testing

@Suite struct SlotMapTests {
    @Test func `a value is found, changed and removed by its id`() {
        var map = SlotMap<String>()
        let first = map.insert("first")
        let second = map.insert("second")
        #expect(map.count == 2)
        #expect(map[first] == "first")
        map[second]?.append("!")
        #expect(map.remove(second) == "second!")
        #expect(map[second] == nil)
        #expect(map.count == 1)
        #expect(map.ids == [first])
    }

    @Test func `the id of a removed value never finds the next one in its slot`() {
        var map = SlotMap<String>()
        let old = map.insert("old")
        #expect(map.remove(old) == "old")
        let new = map.insert("new")
        #expect(new.index == old.index)
        #expect(new != old)
        #expect(map[old] == nil)
        map[old]?.append("!")
        #expect(map.remove(old) == nil)
        #expect(map[new] == "new")
        #expect(map.count == 1)
    }

    @Test func `a removed value is let go of at once`() {
        final class Value {}
        var map = SlotMap<Value>()
        weak var value: Value?
        let id: SlotMap<Value>.ID
        do {
            let inserted = Value()
            value = inserted
            id = map.insert(inserted)
        }
        #expect(value != nil)
        map.remove(id)
        #expect(value == nil)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `any mix of steps gives what a dictionary gives, in no more slots than it needs`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var map = SlotMap<Int>()
        var dictionary: [SlotMap<Int>.ID: Int] = [:]
        var removed: [SlotMap<Int>.ID] = []
        var most = 0
        for value in 0..<2_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let id = map.insert(value)
                #expect(dictionary.updateValue(value, forKey: id) == nil)
            case 2:
                guard let id = dictionary.keys.randomElement(using: &random) else { continue }
                #expect(map.remove(id) == dictionary.removeValue(forKey: id))
                removed.append(id)
            default:
                guard let id = dictionary.keys.randomElement(using: &random) else { continue }
                map[id]? += 1
                dictionary[id]? += 1
            }
            most = max(most, dictionary.count)
            #expect(map.count == dictionary.count)
        }
        for (id, value) in dictionary { #expect(map[id] == value) }
        for id in removed { #expect(map[id] == nil) }
        #expect(Set(map.ids) == Set(dictionary.keys))
        #expect(map.ids.map(\.index) == map.ids.map(\.index).sorted())
        #expect(dictionary.keys.allSatisfy { $0.index < most })
    }
}
