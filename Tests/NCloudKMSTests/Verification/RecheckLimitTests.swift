import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct RecheckLimitTests {
    private static func at(_ seconds: Int) -> Instant { Instant(nanoseconds: Int64(seconds) * 1_000_000_000) }

    private enum Step: Sendable {
        /// A key fetched at that second found a signature wrong.
        case wrong(String, used: Int, at: Int, gives: Int?)
        case ended(String, broughtKey: Bool)
    }

    private static let rows: [(rule: String, steps: [Step])] = [
        ("the first wrong signature has a fresh key fetched", [.wrong("a", used: 0, at: 100, gives: 0)]),
        (
            "a fresh key is fetched once in 30 s",
            [
                .wrong("a", used: 0, at: 100, gives: 0), .ended("a", broughtKey: true),
                .wrong("a", used: 101, at: 102, gives: nil), .wrong("a", used: 101, at: 129, gives: nil),
                .wrong("a", used: 101, at: 130, gives: 0), .wrong("a", used: 131, at: 132, gives: nil),
            ]
        ),
        (
            "keys don't get in each other's way",
            [
                .wrong("a", used: 0, at: 100, gives: 0), .wrong("b", used: 0, at: 101, gives: 0),
                .wrong("b", used: 102, at: 103, gives: nil),
            ]
        ),
        (
            "who used an older key than the recheck's shares what that brings",
            [
                .wrong("a", used: 0, at: 100, gives: 0), .wrong("a", used: 0, at: 103, gives: 3),
                .ended("a", broughtKey: true), .wrong("a", used: 99, at: 110, gives: 10),
            ]
        ),
        (
            "when the recheck brought nothing there is nothing to share",
            [
                .wrong("a", used: 0, at: 100, gives: 0), .ended("a", broughtKey: false),
                .wrong("a", used: 0, at: 103, gives: nil), .wrong("a", used: 0, at: 129, gives: nil),
                .wrong("a", used: 0, at: 130, gives: 0), .wrong("a", used: 0, at: 131, gives: 1),
            ]
        ),
        ("the end of a recheck that nobody began is nothing", [.ended("a", broughtKey: true)]),
        (
            "with every place taken no other key is fetched, until one is free",
            [
                .wrong("a", used: 0, at: 100, gives: 0), .wrong("b", used: 0, at: 101, gives: 0),
                .wrong("c", used: 0, at: 102, gives: 0), .wrong("d", used: 0, at: 103, gives: nil),
                .wrong("a", used: 0, at: 104, gives: 4), .wrong("d", used: 0, at: 129, gives: nil),
                .wrong("d", used: 0, at: 130, gives: 0), .wrong("b", used: 0, at: 131, gives: 0),
            ]
        ),
    ]

    @Test(arguments: rows.indices)
    func `the rows of the table`(_ index: Int) throws {
        let row = Self.rows[index]
        var limit = RecheckLimit(capacity: 3)
        for step in row.steps {
            switch step {
            case .wrong(let key, let used, let now, let expected):
                let age = limit.maxAge(for: try KeyTag(key), used: Self.at(used), now: Self.at(now))
                #expect(age == expected.map { .seconds($0) }, "\(row.rule): \(step)")
            case .ended(let key, let broughtKey):
                limit.recheckEnded(try KeyTag(key), broughtKey: broughtKey)
            }
            #expect(limit.count <= 3)
        }
    }
}
