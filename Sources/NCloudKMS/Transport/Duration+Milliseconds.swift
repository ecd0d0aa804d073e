import Platform

extension Duration {
    /// Whole milliseconds, rounded up, so that a timer of this length does not end too early.
    var millisecondsRoundedUp: Int64 {
        let (milliseconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return rest > 0 ? milliseconds + 1 : milliseconds
    }
}
