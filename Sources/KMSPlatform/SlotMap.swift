/// Values in numbered slots. To insert, find or remove one takes a few instructions and no hash, and the id of a value
/// that was removed never finds another.
///
/// - Important: an id is good for its own map alone. To empty a map, use `removeAll`.
public struct SlotMap<Value> {
    /// Names one value of one map.
    public struct ID: Hashable, Sendable {
        /// The slot: less than the greatest number of values that the map ever held. Used again after a removal.
        public let index: Int
        /// Which user of the slot it is.
        @usableFromInline let generation: Int

        @inlinable init(index: Int, generation: Int) {
            self.index = index
            self.generation = generation
        }
    }

    @usableFromInline struct Slot {
        @usableFromInline var generation: Int
        @usableFromInline var value: Value?

        @inlinable init(generation: Int, value: Value) {
            self.generation = generation
            self.value = value
        }
    }

    @usableFromInline var slots: [Slot] = []
    @usableFromInline var freeSlots: [Int] = []

    @inlinable public init() {}

    @inlinable public var count: Int { slots.count - freeSlots.count }

    /// The id that the next value gets.
    @inlinable public var nextID: ID {
        guard let index = freeSlots.last else { return ID(index: slots.count, generation: 0) }
        return ID(index: index, generation: slots[index].generation)
    }

    @inlinable public mutating func insert(_ value: Value) -> ID {
        guard let index = freeSlots.popLast() else {
            slots.append(Slot(generation: 0, value: value))
            return ID(index: slots.count - 1, generation: 0)
        }
        slots[index].value = value
        return ID(index: index, generation: slots[index].generation)
    }

    /// The value, to read or to change in place; nil if it was removed.
    ///
    /// - Precondition: what is set is not nil; `remove` takes a value out.
    @inlinable public subscript(id: ID) -> Value? {
        get { slots[id.index].generation == id.generation ? slots[id.index].value : nil }
        _modify {
            guard slots[id.index].generation == id.generation else {
                var none: Value?
                yield &none
                return
            }
            yield &slots[id.index].value
        }
    }

    /// Takes a value out; nil if that has happened before.
    @discardableResult
    @inlinable public mutating func remove(_ id: ID) -> Value? {
        guard slots[id.index].generation == id.generation else { return nil }
        slots[id.index].generation &+= 1
        freeSlots.append(id.index)
        return slots[id.index].value.take()
    }

    /// Takes all values out, in the order of their slots.
    @inlinable public mutating func removeAll() -> [Value] {
        var values: [Value] = []
        for id in ids {
            if let value = remove(id) { values.append(value) }
        }
        return values
    }

    /// All ids, in the order of their slots.
    @inlinable public var ids: [ID] {
        var ids: [ID] = []
        for index in slots.indices where slots[index].value != nil {
            ids.append(ID(index: index, generation: slots[index].generation))
        }
        return ids
    }
}

extension SlotMap: Sendable where Value: Sendable {}
extension SlotMap.Slot: Sendable where Value: Sendable {}
