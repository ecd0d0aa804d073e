import Platform

/// Whole files and whole writes.
package enum FileContents {
    package static func of(_ path: String) throws(PlatformError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PlatformError("open") }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PlatformError("read") }
            guard count > 0 else { return contents }
            contents += buffer[..<count]
        }
    }

    /// Writes all of the bytes.
    package static func append(_ bytes: [UInt8], to descriptor: Int32) throws(PlatformError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PlatformError("write") }
            rest = rest.dropFirst(count)
        }
    }
}
