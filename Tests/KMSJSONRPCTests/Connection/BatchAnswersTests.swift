import Testing

@testable import KMSJSONRPC

@Suite struct BatchAnswersTests {
    private func text(_ batch: BatchAnswers) -> String {
        var bytes = Array("x".utf8)
        batch.append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `the answers are in the order of the requests, whichever comes first`() {
        var batch = BatchAnswers()
        let slots = (0..<3).map { _ in batch.reserve() }
        batch.seal()
        for slot in [1, 2, 0] {
            #expect(!batch.isComplete)
            batch.fill(slots[slot], with: Array("\(slot)".utf8))
        }
        #expect(batch.isComplete)
        #expect(text(batch) == "x[0,1,2]")
    }

    @Test func `a batch is not complete before all of its members were read`() {
        var batch = BatchAnswers()
        batch.fill(batch.reserve(), with: Array("1".utf8))
        #expect(!batch.isComplete)
        batch.seal()
        #expect(batch.isComplete)
        #expect(!batch.isEmpty)
    }

    @Test func `a batch without requests is complete and empty`() {
        var batch = BatchAnswers()
        #expect(!batch.isComplete)
        batch.seal()
        #expect(batch.isComplete)
        #expect(batch.isEmpty)
    }

    @Test func `a place that was given up is not in the array, and with all of them there is none`() {
        var batch = BatchAnswers()
        let slots = (0..<2).map { _ in batch.reserve() }
        batch.seal()
        batch.giveUpPlace()
        #expect(!batch.isComplete)
        #expect(batch.isEmpty)
        batch.fill(slots[1], with: Array("1".utf8))
        #expect(batch.isComplete)
        #expect(text(batch) == "x[1]")
    }
}
