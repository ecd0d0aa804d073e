import CKMSLibcurl

/// Something that owns a `CURL *`: its options by type, and what libcurl knows about it.
protocol CurlHandle {
    var handle: UnsafeMutableRawPointer { get }
}

extension CurlHandle {
    // MARK: Options

    func set(_ option: CURLoption, _ value: Int) throws(TransportFailure) {
        try check(clibcurl_easy_set_long(handle, option, value), option)
    }

    func set(_ option: CURLoption, _ value: String?) throws(TransportFailure) {
        try check(clibcurl_easy_set_text(handle, option, value), option)
    }

    /// libcurl copies the bytes.
    func set(_ option: CURLoption, _ value: [UInt8]?) throws(TransportFailure) {
        guard let value else { return try check(clibcurl_easy_set_blob(handle, option, nil), option) }
        try value.withUnsafeBufferPointer { bytes throws(TransportFailure) in
            try set(option, UnsafeRawBufferPointer(bytes), flags: CURL_BLOB_COPY)
        }
    }

    /// - Parameter flags: `CURL_BLOB_COPY`, or `CURL_BLOB_NOCOPY` for bytes that outlive the handle.
    func set(_ option: CURLoption, _ value: UnsafeRawBufferPointer, flags: CInt) throws(TransportFailure) {
        // libcurl does not write to it.
        var blob = curl_blob(
            data: UnsafeMutableRawPointer(mutating: value.baseAddress), len: value.count, flags: UInt32(flags))
        try check(clibcurl_easy_set_blob(handle, option, &blob), option)
    }

    func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) throws(TransportFailure) {
        try check(clibcurl_easy_set_pointer(handle, option, value), option)
    }

    func check(_ code: CURLcode, _ option: CURLoption) throws(TransportFailure) {
        guard code != CURLE_OK else { return }
        let name = curl_easy_option_by_id(option).map { String(cString: $0.pointee.name) } ?? "\(option.rawValue)"
        throw TransportFailure(
            .setup, message: "libcurl refused the option \(name): \(String(cString: curl_easy_strerror(code))).")
    }

    // MARK: Information

    /// 0 if libcurl does not know.
    func long(_ info: CURLINFO) -> Int {
        var value = 0
        return clibcurl_easy_get_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    /// 0 if libcurl does not know.
    func offset(_ info: CURLINFO) -> Int64 {
        var value: curl_off_t = 0
        return clibcurl_easy_get_offset(handle, info, &value) == CURLE_OK ? Int64(value) : 0
    }
}
