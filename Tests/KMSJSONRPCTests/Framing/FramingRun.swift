@testable import KMSJSONRPC

/// What came out of a framing: its steps without where their bytes lie.
enum Frame: Equatable, CustomStringConvertible {
    case message(String)
    case refusal(Int)
    case stop(Int)

    var description: String {
        switch self {
        case .message(let text): "message(\(text.prefix(60)))"
        case .refusal(let code): "refusal(\(code))"
        case .stop(let code): "stop(\(code))"
        }
    }
}

/// Feeds `input` in pieces that end at `cuts`, as a connection does, and gives what comes out.
///
/// - Returns: the frames, and the most bytes that were held at once.
func frames(
    of input: [UInt8], cutAt cuts: [Int], _ framing: any Framing
) -> (frames: [Frame], mostHeld: Int) {
    var framing = framing
    var held: [UInt8] = []
    var frames: [Frame] = []
    var mostHeld = 0

    /// False when the stream has ended.
    func drain(isEnd: Bool) -> Bool {
        while true {
            let step = held.withUnsafeBufferPointer { framing.next(in: $0, isEnd: isEnd) }
            switch step {
            case .incomplete: return true
            case .skip(let count):
                precondition(count > 0 && count <= held.count, "a skip that does not go on")
                held.removeFirst(count)
            case .message(let range, let consumed):
                precondition(consumed > 0)
                frames.append(.message(String(decoding: held[range], as: UTF8.self)))
                held.removeFirst(consumed)
            case .tooLong(_, let consumed):
                precondition(consumed > 0)
                frames.append(.refusal(-32600))
                held.removeFirst(consumed)
            case .stop(let error):
                frames.append(.stop(error.code))
                return false
            }
        }
    }

    var start = 0
    for cut in cuts + [input.count] where cut >= start {
        held += input[start..<cut]
        mostHeld = max(mostHeld, held.count)
        start = cut
        guard drain(isEnd: false) else { return (frames, mostHeld) }
    }
    _ = drain(isEnd: true)
    return (frames, mostHeld)
}

func frames(of input: [UInt8], _ framing: any Framing) -> [Frame] { frames(of: input, cutAt: [], framing).frames }

func frames(of input: String, _ framing: any Framing) -> [Frame] { frames(of: Array(input.utf8), framing) }

/// The frames of `input`, if every way to cut it gives the same: at each position, byte by byte, at random.
func framesHoweverCut(_ input: [UInt8], _ framing: any Framing) -> [Frame]? {
    let whole = frames(of: input, framing)
    for cut in 0...input.count where frames(of: input, cutAt: [cut], framing).frames != whole { return nil }
    guard frames(of: input, cutAt: Array(0...input.count), framing).frames == whole else { return nil }
    var state: UInt64 = 0x2545_F491_4F6C_DD1D
    for _ in 0..<50 {
        var cuts: [Int] = []
        for position in 0..<input.count {
            // Marsaglia's xorshift: the same cuts in every run.
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            if state % 4 == 0 { cuts.append(position) }
        }
        guard frames(of: input, cutAt: cuts, framing).frames == whole else { return nil }
    }
    return whole
}
