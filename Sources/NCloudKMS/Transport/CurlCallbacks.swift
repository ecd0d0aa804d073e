import CLibcurl

// What libcurl calls during `curl_multi_perform`, each with the transfer's `ResponseCollector`, which `CurlEasy` keeps
// alive for as long as its handle. They neither throw nor trap: an error is told by a short count.

nonisolated func curlReceivedHeaderLine(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ collector: UnsafeMutableRawPointer?
) -> Int {
    deliver(bytes, size &* count, collector) { $0.takeHeaderLine($1) }
}

nonisolated func curlReceivedBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ collector: UnsafeMutableRawPointer?
) -> Int {
    deliver(bytes, size &* count, collector) { $0.takeBody($1) }
}

/// The connection stands, and the request is about to be written.
nonisolated func curlIsAboutToSend(
    _ collector: UnsafeMutableRawPointer?, _ remoteAddress: UnsafeMutablePointer<CChar>?,
    _ localAddress: UnsafeMutablePointer<CChar>?, _ remotePort: CInt, _ localPort: CInt
) -> CInt {
    guard let collector else { return CURL_PREREQFUNC_ABORT }
    Unmanaged<ResponseCollector>.fromOpaque(collector).takeUnretainedValue().requestIsAboutToBeSent()
    return CURL_PREREQFUNC_OK
}

/// - Returns: the number of bytes taken. Any other number than `count` makes libcurl end the transfer.
private nonisolated func deliver(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ collector: UnsafeMutableRawPointer?,
    _ take: (ResponseCollector, UnsafeRawBufferPointer) -> Bool
) -> Int {
    guard count > 0 else { return 0 }
    guard let bytes, let collector else { return 0 }
    let collectorObject = Unmanaged<ResponseCollector>.fromOpaque(collector).takeUnretainedValue()
    return take(collectorObject, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
}
