import KMSTestSupport

/// A fault of the emulator, and the errors that the contract gives for it.
struct ModelFault {
    let spec: String
    var codes: Set<Int> = []

    /// Those that leave every call an end of its own. Each happens to some requests only.
    static let passing = [
        ModelFault(spec: "status=503,code=500,rate=0.3", codes: [1008]),
        ModelFault(spec: "reset,rate=0.3", codes: [1008]),
        ModelFault(spec: "reset=body,rate=0.3", codes: [1008]), ModelFault(spec: "close,rate=0.3", codes: [1008]),
        ModelFault(spec: "truncate,rate=0.3", codes: [1008]), ModelFault(spec: "empty,rate=0.3", codes: [1010]),
        ModelFault(spec: "html,rate=0.3", codes: [1008]), ModelFault(spec: "text,rate=0.3", codes: [1008]),
        ModelFault(spec: "code=410,rate=0.3", codes: [1006]),
        ModelFault(spec: "status=429,code=400,rate=0.2", codes: [1007]),
        ModelFault(spec: "status=401,code=210,rate=0.2", codes: [1003]),
        ModelFault(spec: "status=401,code=200,rate=0.3", codes: [1002]),
        ModelFault(spec: "status=403,code=230,rate=0.2", codes: [1003]),
        ModelFault(spec: "status=400,code=100,rate=0.2", codes: [1013]),
        ModelFault(spec: "status=204,rate=0.2", codes: [1010]), ModelFault(spec: "status=501,rate=0.2", codes: [1008]),
        ModelFault(spec: "trickle=1,rate=0.1"), ModelFault(spec: "delay=20,rate=0.5"),
        ModelFault(spec: "close-every=3"),
        ModelFault(spec: "skew=+360s"), ModelFault(spec: "skew=-600s"),
    ]
    /// For sessions whose calls have a short time limit.
    static let slow = [
        ModelFault(spec: "hang,rate=0.3", codes: [1009]), ModelFault(spec: "delay=60,rate=0.5", codes: [1009]),
    ]
    /// The service never answers. For sessions that end with calls in flight.
    static let silence = ModelFault(spec: "hang")

    /// Those of a session: none in a third of all.
    static func random(hasShortLimit: Bool, _ generator: inout SeededGenerator) -> [ModelFault] {
        let count = [0, 1, 1, 2, 2, 3].randomElement(using: &generator) ?? 0
        let all = passing + (hasShortLimit ? slow : [])
        return (0..<count).compactMap { _ in all.randomElement(using: &generator) }
    }
}
