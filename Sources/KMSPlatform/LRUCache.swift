/// A dictionary of bounded size: an insertion beyond its capacity evicts the least recently used entry.
///
/// Every operation is O(1). A plain value: it reads no clock and holds no lock; guard it with `Lock` if threads share
/// it.
public struct LRUCache<Key: Hashable, Value> {
    /// Entries form a circular list in order of use: `newest` is the most recently used one, and the oldest precedes
    /// it.
    @usableFromInline struct Entry {
        @usableFromInline var key: Key
        /// Nil in a free slot.
        @usableFromInline var value: Value?
        @usableFromInline var older: Int
        @usableFromInline var newer: Int

        @inlinable init(key: Key, value: Value, older: Int, newer: Int) {
            self.key = key
            self.value = value
            self.older = older
            self.newer = newer
        }
    }

    /// The maximum number of entries.
    public let capacity: Int
    @usableFromInline var slots: [Key: Int] = [:]
    @usableFromInline var entries: [Entry] = []
    @usableFromInline var freeSlots: [Int] = []
    @usableFromInline var newest = -1

    /// - Parameter capacity: the maximum number of entries, at least 1.
    public init(capacity: Int) {
        precondition(capacity > 0, "the capacity must be at least 1")
        self.capacity = capacity
    }

    /// The number of entries.
    @inlinable public var count: Int { slots.count }

    /// The value of `key`, which becomes the most recently used; nil if there is none.
    @inlinable
    public mutating func value(forKey key: Key) -> Value? {
        guard let slot = slots[key] else { return nil }
        touch(slot)
        return entries[slot].value
    }

    /// Sets the value of `key`, which becomes the most recently used.
    ///
    /// - Returns: the entry that was evicted, if the cache was full.
    @inlinable
    @discardableResult
    public mutating func insert(_ value: Value, forKey key: Key) -> (key: Key, value: Value)? {
        if let slot = slots[key] {
            entries[slot].value = value
            touch(slot)
            return nil
        }
        let evicted = slots.count == capacity ? removeOldest() : nil
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            entries[slot].key = key
            entries[slot].value = value
        } else {
            slot = entries.count
            entries.append(Entry(key: key, value: value, older: slot, newer: slot))
        }
        slots[key] = slot
        link(slot)
        return evicted
    }

    /// Removes and returns the value of `key`; nil if there is none.
    @inlinable
    @discardableResult
    public mutating func removeValue(forKey key: Key) -> Value? {
        guard let slot = slots.removeValue(forKey: key) else { return nil }
        return release(slot)
    }

    @inlinable
    mutating func removeOldest() -> (key: Key, value: Value)? {
        let slot = entries[newest].newer
        let key = entries[slot].key
        slots.removeValue(forKey: key)
        return release(slot).map { (key, $0) }
    }

    @inlinable
    mutating func touch(_ slot: Int) {
        guard slot != newest else { return }
        unlink(slot)
        link(slot)
    }

    /// Inserts a slot that is not in the list as the newest.
    @inlinable
    mutating func link(_ slot: Int) {
        if newest < 0 {
            entries[slot].older = slot
            entries[slot].newer = slot
        } else {
            let oldest = entries[newest].newer
            entries[slot].older = newest
            entries[slot].newer = oldest
            entries[newest].newer = slot
            entries[oldest].older = slot
        }
        newest = slot
    }

    @inlinable
    mutating func unlink(_ slot: Int) {
        let (older, newer) = (entries[slot].older, entries[slot].newer)
        entries[older].newer = newer
        entries[newer].older = older
        if slot == newest { newest = older == slot ? -1 : older }
    }

    /// Removes an entry from the list and releases its value.
    @inlinable
    mutating func release(_ slot: Int) -> Value? {
        unlink(slot)
        freeSlots.append(slot)
        return entries[slot].value.take()
    }
}

extension LRUCache: Sendable where Key: Sendable, Value: Sendable {}
extension LRUCache.Entry: Sendable where Key: Sendable, Value: Sendable {}
