/// A first-in, first-out queue that keeps its memory for later elements.
public struct Queue<Element> {
    @usableFromInline var incoming: [Element] = []
    /// The elements that came before, the first one last, so that it can be moved out.
    @usableFromInline var outgoing: [Element] = []

    @inlinable public init() {}

    @inlinable public var isEmpty: Bool { incoming.isEmpty && outgoing.isEmpty }

    @inlinable public var first: Element? { outgoing.last ?? incoming.first }

    @inlinable public mutating func append(_ element: Element) { incoming.append(element) }

    @inlinable public mutating func popFirst() -> Element? {
        if outgoing.isEmpty, !incoming.isEmpty {
            swap(&incoming, &outgoing)
            outgoing.reverse()
        }
        return outgoing.popLast()
    }
}

extension Queue: Sendable where Element: Sendable {}
