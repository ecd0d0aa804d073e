/// A dictionary of bounded size: an insertion beyond its capacity drops what was used least recently.
///
/// Every operation is O(1). A value: it reads no clock and holds no lock; guard it with `Lock` where threads share it.
public struct LRUCache<Key: Hashable, Value> {
    /// Entries form a ring in order of use, which starts and ends at no entry in particular: `newest` is one of them,
    /// and what comes before it is the oldest.
    @usableFromInline struct Entry {
        @usableFromInline var key: Key
        /// Nil in a slot that was given up and waits to be used again.
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

    /// The greatest number of entries.
    public let capacity: Int
    @usableFromInline var slots: [Key: Int] = [:]
    @usableFromInline var entries: [Entry] = []
    @usableFromInline var freeSlots: [Int] = []
    @usableFromInline var newest = -1

    /// - Parameter capacity: the greatest number of entries, at least 1.
    public init(capacity: Int) {
        precondition(capacity > 0, "a cache of no entries")
        self.capacity = capacity
    }

    @inlinable public var count: Int { slots.count }

    /// The value of `key`, which becomes the one used most recently.
    @inlinable
    public mutating func value(forKey key: Key) -> Value? {
        guard let slot = slots[key] else { return nil }
        touch(slot)
        return entries[slot].value
    }

    /// Sets the value of `key`, which becomes the one used most recently.
    ///
    /// - Returns: the entry that had to go, if the cache was full.
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

    /// Makes a slot that is in no ring the newest.
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

    /// Takes an entry out of the ring and lets go of its value.
    @inlinable
    mutating func release(_ slot: Int) -> Value? {
        unlink(slot)
        freeSlots.append(slot)
        return entries[slot].value.take()
    }
}

extension LRUCache: Sendable where Key: Sendable, Value: Sendable {}
extension LRUCache.Entry: Sendable where Key: Sendable, Value: Sendable {}
