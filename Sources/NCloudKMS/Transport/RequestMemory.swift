import CKMSLibcurl
import CKMSOpenSSL

/// The header lines and the body of one request in memory that libcurl reads: it copies neither.
///
/// The memory is reused by the next request, and wiped in between, because it contains signatures and tokens.
struct RequestMemory: ~Copyable {
    private var bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var usedBytes = 0
    private var nodes = UnsafeMutableBufferPointer<curl_slist>(start: nil, count: 0)

    /// The lines as libcurl's list; nil if there are none.
    private(set) var headerList: UnsafeMutablePointer<curl_slist>?
    private(set) var body = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    init() {}

    deinit {
        OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        bytes.deallocate()
        nodes.deallocate()
    }

    /// - Parameter headers: an empty value prevents libcurl from sending that header.
    mutating func load(headers: [HTTPRequest.Header], body newBody: [UInt8]) {
        wipe()
        let separator = ": ".utf8
        let byteCount = headers.reduce(newBody.count) {
            $0 + $1.name.utf8.count + separator.count + $1.value.utf8.count + 1
        }
        reserve(bytes: byteCount, lines: headers.count)
        for (index, header) in headers.enumerated() {
            let start = usedBytes
            append(header.name.utf8)
            append(separator)
            append(header.value.utf8)
            append(CollectionOfOne(0))
            let text = bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
            let following = index + 1 < headers.count ? nodes.baseAddress.map { $0 + index + 1 } : nil
            nodes.initializeElement(at: index, to: curl_slist(data: text, next: following))
        }
        headerList = headers.isEmpty ? nil : nodes.baseAddress
        let start = usedBytes
        append(newBody)
        body = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<usedBytes])
    }

    mutating func wipe() {
        OPENSSL_cleanse(bytes.baseAddress, usedBytes)
        usedBytes = 0
        headerList = nil
        body = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    private mutating func append(_ more: some Collection<UInt8>) {
        bytes[usedBytes...].copyBytes(from: more)
        usedBytes += more.count
    }

    /// Call it only between `wipe` and the first `append`: it discards the contents.
    private mutating func reserve(bytes byteCount: Int, lines: Int) {
        if byteCount > bytes.count {
            bytes.deallocate()
            bytes = .allocate(byteCount: max(byteCount, 1_024), alignment: 16)
        }
        if lines > nodes.count {
            nodes.deallocate()
            nodes = .allocate(capacity: max(lines, 8))
        }
    }
}
