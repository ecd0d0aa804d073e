/// What the model allows as the answer to one request.
struct ModelAnswer {
    /// As the request has it; nil for a member of a batch that the model knows only by its place.
    let id: String?
    /// The id for cancels; nil if none can reach the request. Different spellings of one id have the same key.
    var key: String?
    /// Whether the service or the verifier must be asked, so that it may be in flight for a while.
    var isCall = false
    /// A tool call of MCP.
    var isTool = false
    var allowed: Set<ModelOutcome>
    /// False if it is also right not to answer.
    var isRequired = true
    /// Where it is reported on, if it is.
    var progressToken: String?

    func allows(_ reply: ModelReplyMember) -> Bool {
        (id == nil || id == reply.id) && allowed.contains(reply.outcome)
    }
}

/// Requests that are answered in one message: one, or the members of a batch, in their order.
struct ModelExpectation {
    var isBatch: Bool
    var answers: [ModelAnswer]

    /// Whether there must be a message.
    var isRequired: Bool { answers.contains { $0.isRequired } }

    func allows(_ reply: ModelReply) -> Bool {
        switch reply {
        case .progress: return false
        case .single(let member): return !isBatch && answers[0].allows(member)
        case .batch(let members): return isBatch && Self.matches(answers[...], members[...])
        }
    }

    /// Whether the members are answers to these requests in their order, where optional ones may be missing.
    private static func matches(_ answers: ArraySlice<ModelAnswer>, _ members: ArraySlice<ModelReplyMember>) -> Bool {
        // How many of the requests so far may have been used when the members so far were taken: few, mostly one.
        var places: Set = [answers.startIndex]
        for member in members {
            var next: Set<Int> = []
            for place in places {
                for index in answers[place...].indices {
                    if answers[index].allows(member) { next.insert(index + 1) }
                    if answers[index].isRequired { break }
                }
            }
            places = next
        }
        return places.contains { place in answers[place...].allSatisfy { !$0.isRequired } }
    }
}

/// Assigns messages to expectations, each to one at most, so that every message and every required expectation has its
/// partner. Several requests may have the same id, so taking the first that fits is not enough.
struct ModelMatching {
    /// The messages that nothing expected.
    private(set) var unexpected: [Int] = []
    /// The required expectations without a message.
    private(set) var missing: [Int] = []

    /// If one assignment has all messages and another has all required expectations, there is one that has both
    /// (Mendelsohn and Dulmage, 1958). So each side is tried by itself.
    init(_ expectations: [ModelExpectation], _ replies: [ModelReply]) {
        var fitting = [[Int]](repeating: [], count: replies.count)
        let candidates = Self.byID(expectations)
        for (index, reply) in replies.enumerated() {
            fitting[index] = candidates[Self.group(of: reply), default: []].filter { expectations[$0].allows(reply) }
        }
        unexpected = Self.unmatched(fitting, partners: expectations.count)
        var fittingReplies = [[Int]](repeating: [], count: expectations.count)
        for (reply, list) in fitting.enumerated() {
            for expectation in list { fittingReplies[expectation].append(reply) }
        }
        let required = expectations.indices.filter { expectations[$0].isRequired }
        let unmatched = Self.unmatched(required.map { fittingReplies[$0] }, partners: replies.count)
        missing = unmatched.map { required[$0] }
    }

    private static let batches = "["

    private static func byID(_ expectations: [ModelExpectation]) -> [String: [Int]] {
        Dictionary(grouping: expectations.indices) { index in
            expectations[index].isBatch ? batches : expectations[index].answers[0].id ?? ""
        }
    }

    private static func group(of reply: ModelReply) -> String {
        switch reply {
        case .single(let member): member.id
        case .batch, .progress: batches
        }
    }

    /// Kuhn's algorithm: the places that remain without a partner in a largest assignment.
    private static func unmatched(_ fitting: [[Int]], partners: Int) -> [Int] {
        var owner = [Int?](repeating: nil, count: partners)
        func find(_ place: Int, _ seen: inout Set<Int>) -> Bool {
            for partner in fitting[place] where seen.insert(partner).inserted {
                if let current = owner[partner], !find(current, &seen) { continue }
                owner[partner] = place
                return true
            }
            return false
        }
        return fitting.indices.filter { place in
            var seen: Set<Int> = []
            return !find(place, &seen)
        }
    }
}
