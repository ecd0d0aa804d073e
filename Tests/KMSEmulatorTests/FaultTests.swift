import Testing

@testable import KMSEmulator

@Suite struct FaultTests {
    private func body(_ fault: Fault) -> String? {
        guard case .ending(.answer(let answer)) = fault.effect else { return nil }
        return String(decoding: answer.body, as: UTF8.self)
    }

    private func status(_ fault: Fault) -> Int? {
        guard case .ending(.answer(let answer)) = fault.effect else { return nil }
        return answer.status
    }

    @Test(arguments: [
        ("reset", Fault(.ending(.reset))), ("reset=body", Fault(.ending(.body(.reset)))),
        ("close", Fault(.ending(.close))), ("truncate", Fault(.ending(.body(.truncate)))),
        ("hang", Fault(.ending(.hang))),
        ("trickle", Fault(.ending(.body(.trickle(intervalMilliseconds: 1))))),
        ("trickle=0", Fault(.ending(.body(.trickle(intervalMilliseconds: 0))))),
        ("delay=250", Fault(.delay(milliseconds: 250))), ("close-every=200", Fault(.closeEvery(requests: 200))),
        ("skew=+360s", Fault(.skew(milliseconds: 360_000))), ("skew=-2h", Fault(.skew(milliseconds: -7_200_000))),
        ("skew=5m", Fault(.skew(milliseconds: 300_000))), ("skew=-730d", Fault(.skew(milliseconds: -63_072_000_000))),
        ("skew=1ms", Fault(.skew(milliseconds: 1))),
        ("hang,count=2", Fault(.ending(.hang), when: .init(count: 2))),
        ("rate=0.05,close,key=demo-rsa", Fault(.ending(.close), when: .init(keyTag: "demo-rsa", rate: 0.05))),
    ])
    func `effects and conditions are read`(text: String, expected: Fault) throws {
        #expect(try Fault(parsing: text) == expected)
    }

    @Test(arguments: [
        (
            "status=503", 503,
            #"{"error":{"errorCode":"500","message":"Endpoint Error","details":"A fault of the emulator."}}"#
        ),
        (
            "code=400", 429,
            #"{"error":{"errorCode":"400","message":"Quota Exceeded","details":"A fault of the emulator."}}"#
        ),
        (
            "status=429", 429,
            #"{"error":{"errorCode":"410","message":"Throttle Limited","details":"A fault of the emulator."}}"#
        ),
        (
            "code=420,number", 429,
            #"{"error":{"errorCode":420,"message":"Rate Limited","details":"A fault of the emulator."}}"#
        ),
        (
            "status=503,code=777,message=Odd", 503,
            #"{"error":{"errorCode":"777","message":"Odd","details":"A fault of the emulator."}}"#
        ),
        ("code=FORBIDDEN", 403, #"{"code":"FORBIDDEN","msg":"Forbidden","data":null}"#),
        (
            "status=200,code=INTERNAL_SERVER_ERROR", 200,
            #"{"code":"INTERNAL_SERVER_ERROR","msg":"Server internal error","data":null}"#
        ),
        ("status=200,code=ODD,message=m", 200, #"{"code":"ODD","msg":"m","data":null}"#),
        ("status=302", 302, ""), ("status=502", 502, ""), ("empty", 200, ""), ("empty,status=500", 500, ""),
        ("html", 502, "<html><head><title>502</title></head><body><h1>502</h1></body></html>\n"),
        ("text,status=500", 500, "Service unavailable\n"),
    ])
    func `answers are those of the tables`(text: String, status: Int, body: String) throws {
        let fault = try Fault(parsing: text)
        #expect(self.status(fault) == status)
        #expect(self.body(fault) == body)
    }

    @Test(arguments: ["-5", "1.5", "99999999999", "Wed", "x y"])
    func `any text can be a hint to retry`(value: String) throws {
        guard case .ending(.answer(let answer)) = try Fault(parsing: "status=503,retry-after=\(value)").effect else {
            Issue.record("no answer")
            return
        }
        #expect(answer.headers == [.init("Retry-After", value)])
    }

    @Test(arguments: [
        ("", "empty word between commas"), ("reset,", "empty word between commas"),
        ("reset,reset", "\"reset\" occurs twice"),
        ("stauts=503", "it must have exactly one effect"), ("count=1", "it must have exactly one effect"),
        ("reset,hang", "it must have exactly one effect"), ("status=503,close", "it must have exactly one effect"),
        ("status=199", "status must be an integer from 200 to 599"), ("status", "status needs a value"),
        ("status=", "status needs a value"), ("code=777", "the code 777 needs a status"),
        ("code=ODD", "the code ODD needs a status"), ("code=FORBIDDEN,number", "the code FORBIDDEN is not a number"),
        ("empty,code=500", "\"code\" is unknown, or can't be combined with the other words"),
        ("reset,retry-after=1", "\"retry-after\" is unknown, or can't be combined with the other words"),
        ("reset=head", "the only value of reset is \"body\""), ("hang=5", "hang takes no value"),
        ("close-every=0", "close-every must be an integer from 1 on"), ("delay=x", "delay must be an integer"),
        ("hang,rate=2", "rate must be a number from 0 to 1"), ("hang,rate=nan", "rate must be a number from 0 to 1"),
        ("hang,count=0", "count must be an integer from 1 on"), ("skew=360", "skew must be like +360s"),
        ("skew=99999999d", "skew must be like +360s"), ("skew", "skew needs a value"),
        ("status=503,retry-after=\u{7F}", "retry-after contains characters that are not allowed in a header"),
    ])
    func `a text that is not a fault is refused with the reason`(text: String, problem: String) {
        let error = #expect(throws: FaultSpecError.self) { try Fault(parsing: text) }
        #expect(
            error?.description.hasPrefix("the fault \"\(text)\": \(problem)") == true, "\(error?.description ?? "")")
    }
}

@Suite struct FaultPlanTests {
    private func outcomes(
        _ faults: [Fault], _ requests: Int, keyTag: String? = "a", random: [Double] = []
    ) -> [FaultPlan.Outcome] {
        var plan = FaultPlan(faults)
        var numbers = random.makeIterator()
        return (1...requests).map { number in
            plan.outcome(keyTag: keyTag, requestOfConnection: number) { numbers.next() ?? 0.5 }
        }
    }

    @Test func `a count ends a fault`() {
        let endings = outcomes([Fault(.ending(.close), when: .init(count: 2))], 4).map(\.ending)
        #expect(endings == [.close, .close, nil, nil])
    }

    @Test func `a rate compares with the random number`() {
        let endings = outcomes([Fault(.ending(.hang), when: .init(rate: 0.25))], 4, random: [0.24, 0.25, 0, 0.9]).map(
            \.ending)
        #expect(endings == [.hang, nil, .hang, nil])
        #expect(outcomes([Fault(.ending(.hang), when: .init(rate: 0))], 1, random: [0]).map(\.ending) == [nil])
        #expect(outcomes([Fault(.ending(.hang), when: .init(rate: 1))], 1, random: [0.999]).map(\.ending) == [.hang])
    }

    @Test func `a fault of one key leaves the others alone`() {
        let fault = Fault(.ending(.close), when: .init(keyTag: "a", count: 1))
        #expect(outcomes([fault], 1, keyTag: "b") == [.init()])
        #expect(outcomes([fault], 1, keyTag: nil) == [.init()])
        #expect(outcomes([fault], 1, keyTag: "a").map(\.ending) == [.close])
    }

    @Test func `the first ending wins, and the next one keeps its count for later`() {
        let faults = [Fault(.ending(.close), when: .init(count: 1)), Fault(.ending(.hang), when: .init(count: 1))]
        #expect(outcomes(faults, 3).map(\.ending) == [.close, .hang, nil])
    }

    @Test func `skew, delay and closing go together with an ending`() {
        let faults = [
            Fault(.skew(milliseconds: 5)), Fault(.skew(milliseconds: -7)), Fault(.delay(milliseconds: 3)),
            Fault(.closeEvery(requests: 2)), Fault(.ending(.body(.truncate))),
        ]
        let expected = FaultPlan.Outcome(
            skewMilliseconds: -2, delayMilliseconds: 3, closesConnection: false, ending: .body(.truncate))
        var second = expected
        second.closesConnection = true
        #expect(outcomes(faults, 3) == [expected, second, expected])
    }
}
