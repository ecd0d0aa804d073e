import KMSPlatform

/// The program of `make fuzz`. libFuzzer has the `main` function, and calls this one with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try chosenTarget.check(Array(UnsafeBufferPointer(start: data, count: count)))
    } catch {
        fatalError("\(chosenTarget.name): this does not hold: \(error)")
    }
    return 0
}

private let chosenTarget: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fatalError("FUZZ_TARGET must be one of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    return target
}()
