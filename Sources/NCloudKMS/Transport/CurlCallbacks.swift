import CKMSLibcurl
import KMSPlatform

// libcurl's callbacks during a transfer; they receive its `ResponseCollector` or its `TransferWatch`, which `CurlEasy`
// keeps alive as long as its handle. They neither throw nor trap: they report an error by a short count, or by the
// number that means "no".

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

/// The connection is established, and the request is about to be written.
nonisolated func curlIsAboutToSend(
    _ watch: UnsafeMutableRawPointer?, _ remoteAddress: UnsafeMutablePointer<CChar>?,
    _ localAddress: UnsafeMutablePointer<CChar>?, _ remotePort: CInt, _ localPort: CInt
) -> CInt {
    guard let watch, let remoteAddress else { return CURL_PREREQFUNC_ABORT }
    let mayWrite = Unmanaged<TransferWatch>.fromOpaque(watch).takeUnretainedValue().isAboutToWrite(
        localPort: localPort, peerPort: remotePort, peerAddress: remoteAddress)
    return mayWrite ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

/// libcurl has read or written something, or checked whether it can.
nonisolated func curlProgressed(
    _ watch: UnsafeMutableRawPointer?, _ toDownload: curl_off_t, _ downloaded: curl_off_t, _ toUpload: curl_off_t,
    _ uploaded: curl_off_t
) -> CInt {
    guard let watch else { return 1 }
    return Unmanaged<TransferWatch>.fromOpaque(watch).takeUnretainedValue().progressed() ? 0 : 1
}

/// A socket was created and is about to be connected.
nonisolated func curlOpenedSocket(
    _ watch: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ purpose: curlsocktype
) -> CInt {
    guard let watch else { return CURL_SOCKOPT_ERROR }
    Unmanaged<TransferWatch>.fromOpaque(watch).takeUnretainedValue().opened(socket)
    return CURL_SOCKOPT_OK
}

/// A socket is about to be closed, perhaps long after the handle that opened it is gone. Therefore it receives the
/// table, which `CurlMulti` keeps alive until libcurl has closed all sockets.
nonisolated func curlClosesSocket(_ connections: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> CInt {
    if let connections {
        Unmanaged<ConnectionTable>.fromOpaque(connections).takeUnretainedValue().closed(socket)
    }
    return close(socket)
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
