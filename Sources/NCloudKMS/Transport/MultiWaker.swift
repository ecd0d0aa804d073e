import CLibcurl

/// Wakes the thread that sleeps in `CurlMulti.poll`, from any other.
///
/// It also owns the `CURLM *`: the handle lives for as long as anybody may still call `wake`, so longer than its
/// `CurlMulti` if need be. Whoever lets go last destroys it; by then no thread can be using it, and `CurlMulti`, which
/// holds its waker, has taken all transfers off.
final class MultiWaker: @unchecked Sendable {
    // Sendable: the pointer never changes. `curl_multi_wakeup` is the one call of libcurl's that any thread may make at
    // any time before `curl_multi_cleanup`: it writes to a descriptor that is fixed when the handle is made. The other
    // calls are made by `CurlMulti` and `CurlThread` alone, which see to it that they are on one thread.
    let handle: UnsafeMutableRawPointer
    /// Told of each connection that libcurl closes, the last ones by `curl_multi_cleanup`. Only the thread of the transfers
    /// uses it, and after them whoever lets go last.
    private let connections: ConnectionTable

    init(owning handle: UnsafeMutableRawPointer, connections: ConnectionTable) {
        self.handle = handle
        self.connections = connections
    }

    deinit {
        curl_multi_cleanup(handle)
    }

    /// Makes the running or else the next `poll` return at once. Not lost, whenever it is called.
    func wake() {
        // It fails only when the pipe is full, so when enough wake-ups are waiting.
        _ = curl_multi_wakeup(handle)
    }

    /// As `CurlMulti.poll`, and like it only for the thread that the transfers run on.
    func poll(timeoutMilliseconds: Int32?) throws(TransportFailure) {
        let code = curl_multi_poll(handle, nil, 0, timeoutMilliseconds ?? .max, nil)
        guard code == CURLM_OK else {
            throw TransportFailure(
                .setup,
                message: "libcurl can't wait for its connections: \(String(cString: curl_multi_strerror(code))).")
        }
    }
}
