import KMSJSON
import KMSTestSupport

/// A mistake that a program could make. It alters what one has written, to show that the model would see it.
enum ModelMutant: CaseIterable {
    case lostAnswer, doubledAnswer, tornAnswer, wrongID, wrongCode, strayText, reorderedBatch

    /// The record with this mistake in one message; nil if no message can have it.
    func mutate(
        _ record: ModelRecord, of session: ModelSession, _ generator: inout SeededGenerator
    ) throws -> ModelRecord? {
        let (messages, rest) = try ModelReply.split(record.output, usesHeaders: session.usesHeaders)
        let candidates = messages.indices.shuffled(using: &generator)
        for index in candidates {
            guard let altered = alter(Array(messages[index]), &generator) else { continue }
            var frames = messages.map { Self.frame(Array($0), session.usesHeaders) }
            switch self {
            case .lostAnswer: frames[index] = []
            case .doubledAnswer: frames[index] += frames[index]
            case .tornAnswer:
                let length = Int.random(in: 1..<frames[index].count, using: &generator)
                frames[index] = Array(frames[index][..<length])
            case .strayText: frames[index] += Array("Loading the keys\n".utf8)
            case .wrongID, .wrongCode, .reorderedBatch: frames[index] = Self.frame(altered, session.usesHeaders)
            }
            var mutated = record
            mutated.output = frames.flatMap { $0 } + rest
            return mutated
        }
        return nil
    }

    private static func frame(_ message: [UInt8], _ usesHeaders: Bool) -> [UInt8] {
        usesHeaders
            ? Array("Content-Length: \(message.count)\r\n\r\n".utf8) + message : message + [UInt8(ascii: "\n")]
    }

    /// Another text for a message; nil if this mistake is not possible there.
    private func alter(_ message: [UInt8], _ generator: inout SeededGenerator) -> [UInt8]? {
        guard let value = try? JSONValue(parsing: message) else { return nil }
        let text = value.text
        switch self {
        case .lostAnswer, .doubledAnswer, .tornAnswer, .strayText: return message
        case .wrongID:
            guard let id = (value.elements?.first ?? value)["id"]?.text else { return nil }
            return Array(text.replacing("\"id\":\(id),", with: "\"id\":-987654321,", maxReplacements: 1).utf8)
        case .wrongCode:
            guard let error = (value.elements?.first ?? value)["error"], let code = error["code"]?.integer,
                let other = ModelOutcome.types.keys.filter({ $0 != code }).sorted().randomElement(using: &generator)
            else { return nil }
            let types = (from: ModelOutcome.types[code] ?? "", to: ModelOutcome.types[other] ?? "")
            let retryable = [1006, 1008, 1009, 1012].contains(other)
            return Array(
                text.replacing("\"code\":\(code),", with: "\"code\":\(other),", maxReplacements: 1)
                    .replacing("\"type\":\"\(types.from)\"", with: "\"type\":\"\(types.to)\"", maxReplacements: 1)
                    .replacing(/"retryable":(true|false)/, maxReplacements: 1) { _ in "\"retryable\":\(retryable)" }
                    .utf8)
        case .reorderedBatch:
            guard let elements = value.elements, elements.count > 1 else { return nil }
            let parts = (elements[1...] + elements[..<1]).map(\.text)
            return Array("[\(parts.joined(separator: ","))]".utf8)
        }
    }
}
