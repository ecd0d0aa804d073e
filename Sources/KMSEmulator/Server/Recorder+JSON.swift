import JSON

extension Recorder {
    /// `{"requests":[…],"last":N}`, where `last` is what `since` takes to get the ones that come after these.
    func write(since number: Int, to json: inout JSONWriter) {
        json.object { object in
            object.member("requests") { json in
                json.array { array in for record in records(since: number) { array.value(record) } }
            }
            object.member("last", lastNumber)
        }
    }
}

extension Recorder.Record: JSONWritable {
    func write(to json: inout JSONWriter) {
        json.object { object in
            object.member("number", number)
            object.member("time", ISODate.text(millisecondsSince1970: wallClockMilliseconds))
            object.member("method", method)
            object.member("path", target)
            object.member("headers") { json in
                json.object { headers in for (name, value) in self.headers.fields { headers.member(name, value) } }
            }
            // What is not UTF-8 is shown as well as it can be.
            object.member("body", body.map { String(decoding: $0, as: UTF8.self) })
            object.member("status", status)
            object.member("fault", faults.summary)
        }
    }
}

extension FaultPlan.Outcome {
    /// What went wrong, as `--fault` writes it: `status=503`, `delay=50,truncate`; nil when nothing did.
    var summary: String? {
        var words: [String] = []
        if skewMilliseconds != 0 { words.append("skew=\(skewMilliseconds)ms") }
        if delayMilliseconds != 0 { words.append("delay=\(delayMilliseconds)") }
        if closesConnection { words.append("close-every") }
        switch ending {
        case .answer(let answer): words.append("status=\(answer.status)")
        case .reset(let inBody): words.append(inBody ? "reset=body" : "reset")
        case .close: words.append("close")
        case .truncate: words.append("truncate")
        case .trickle: words.append("trickle")
        case .hang: words.append("hang")
        case nil: break
        }
        return words.isEmpty ? nil : words.joined(separator: ",")
    }
}
