/// Values in numbered slots. Inserting, finding or removing one takes a few instructions and no hash, and the id of a
/// removed value never finds another value.
///
/// - Important: an id is valid for its own map only. To empty a map, use `removeAll`.
public struct SlotMap<Value> {
    /// Identifies one value of one map.
    public struct ID: Hashable, Sendable {
        /// The slot: less than the largest number of values that the map ever held. Reused after a removal.
        public let index: Int
        /// Counts the slot's users.
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

    /// The number of values.
    @inlinable public var count: Int { slots.count - freeSlots.count }

    /// The id that the next value gets.
    @inlinable public var nextID: ID {
        guard let index = freeSlots.last else { return ID(index: slots.count, generation: 0) }
        return ID(index: index, generation: slots[index].generation)
    }

    /// Stores a value under the id that `nextID` announced.
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
    /// - Precondition: the new value is not nil; use `remove` to remove one.
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

    /// Removes and returns a value; nil if it was removed before.
    @discardableResult
    @inlinable public mutating func remove(_ id: ID) -> Value? {
        guard slots[id.index].generation == id.generation else { return nil }
        slots[id.index].generation &+= 1
        freeSlots.append(id.index)
        return slots[id.index].value.take()
    }

    /// Removes and returns all values, in the order of their slots.
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
