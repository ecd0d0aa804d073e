import CMicrohttpd

/// One connection, with the request that is under way on it. Belongs to the server's thread.
final class Exchange {
    enum Phase {
        /// The request line was read, the headers were not looked at.
        case started
        case receiving
        /// The whole request is there, and the answer waits for its time.
        case waiting
        case answering
    }

    let number: Int
    let socket: Int32
    var phase = Phase.started
    var head = RequestHead(method: "", target: "")
    var route = Route.unknown
    var body: [UInt8] = []
    /// The largest body that is kept; what comes beyond is read and dropped.
    var maximumBodyBytes = KeyService.maximumBodyBytes
    var isBodyTooLarge = false
    /// Nil for control requests.
    var schedule: EmulatorCore.Schedule?
    /// Nil for control requests, and for those to the metadata service.
    var plan: EmulatorCore.Plan?
    /// A fault cut it off, so its end is not the client's doing.
    var isCutOff = false

    init(number: Int, socket: Int32) {
        self.number = number
        self.socket = socket
    }

    /// Begins the next request.
    func begin(target: String) {
        phase = .started
        head.target = target
        route = Route(target: target)
        body.removeAll(keepingCapacity: true)
        maximumBodyBytes = KeyService.maximumBodyBytes
        isBodyTooLarge = false
        schedule = nil
        plan = nil
        isCutOff = false
    }

    func receive(_ bytes: UnsafeBufferPointer<UInt8>) {
        if body.count + bytes.count > maximumBodyBytes {
            isBodyTooLarge = true
            body.removeAll()
        }
        if !isBodyTooLarge { body.append(contentsOf: bytes) }
    }
}
