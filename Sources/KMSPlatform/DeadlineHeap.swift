/// A priority queue of `SlotMap` ids, ordered by the instant at which each is due.
///
/// Insertion and removal cost O(log n). Ids that are due at the same instant come out in the order in which they were
/// inserted.
public struct DeadlineHeap<Value>: Sendable {
    public typealias ID = SlotMap<Value>.ID

    @usableFromInline struct Entry: Sendable {
        @usableFromInline var due: Instant
        /// Orders entries with the same instant: the number of insertions before it.
        @usableFromInline var order: UInt64
        @usableFromInline var id: ID

        @inlinable init(due: Instant, order: UInt64, id: ID) {
            self.due = due
            self.order = order
            self.id = id
        }

        @inlinable func isBefore(_ other: Entry) -> Bool {
            due != other.due ? due < other.due : order < other.order
        }
    }

    /// A binary heap: no entry is due before its parent, which is at half its index.
    @usableFromInline var entries: [Entry] = []
    /// The index in `entries` of each slot's entry; -1 for a slot without one.
    @usableFromInline var positions: [Int] = []
    @usableFromInline var insertions: UInt64 = 0

    @inlinable public init() {}

    /// When the earliest entry is due; nil if the heap is empty.
    @inlinable public var next: Instant? { entries.first?.due }

    /// Adds an id, or moves it to another instant if it is already in the heap. Replaces an entry for an earlier user
    /// of the same slot.
    @inlinable public mutating func insert(_ id: ID, due: Instant) {
        if id.index < positions.count {
            if positions[id.index] >= 0 { removeEntry(at: positions[id.index]) }
        } else {
            positions.append(contentsOf: repeatElement(-1, count: id.index + 1 - positions.count))
        }
        entries.append(Entry(due: due, order: insertions, id: id))
        insertions += 1
        positions[id.index] = entries.count - 1
        siftUp(entries.count - 1)
    }

    /// Removes an id.
    ///
    /// - Returns: when it would have been due; nil if it was not in the heap.
    @discardableResult
    @inlinable public mutating func remove(_ id: ID) -> Instant? {
        guard id.index < positions.count, positions[id.index] >= 0 else { return nil }
        let index = positions[id.index]
        guard entries[index].id == id else { return nil }
        let due = entries[index].due
        removeEntry(at: index)
        return due
    }

    /// Removes and returns the earliest id if it is due at `now` or earlier.
    @inlinable public mutating func popDue(by now: Instant) -> ID? {
        guard let first = entries.first, first.due <= now else { return nil }
        removeEntry(at: 0)
        return first.id
    }

    @inlinable mutating func removeEntry(at index: Int) {
        positions[entries[index].id.index] = -1
        let last = entries.removeLast()
        guard index < entries.count else { return }
        place(last, at: index)
        siftUp(siftDown(index))
    }

    @inlinable mutating func place(_ entry: Entry, at index: Int) {
        entries[index] = entry
        positions[entry.id.index] = index
    }

    @inlinable mutating func siftUp(_ start: Int) {
        let entry = entries[start]
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard entry.isBefore(entries[parent]) else { break }
            place(entries[parent], at: index)
            index = parent
        }
        if index != start { place(entry, at: index) }
    }

    /// - Returns: the final index of the entry.
    @inlinable mutating func siftDown(_ start: Int) -> Int {
        let entry = entries[start]
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) { child += 1 }
            guard entries[child].isBefore(entry) else { break }
            place(entries[child], at: index)
            index = child
        }
        if index != start { place(entry, at: index) }
        return index
    }
}
