import KMSPlatform
import KMSTestSupport

extension TemporaryDirectory {
    /// Writes a file, and gives its path.
    @discardableResult
    func write(_ name: String, _ bytes: some Collection<UInt8>) throws -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw PlatformError("open") }
        defer { close(descriptor) }
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { KMSPlatform.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw PlatformError("write") }
            rest = rest.dropFirst(count)
        }
        return file
    }
}

/// The whole of a file, also of those in /proc, which have no size.
func contents(of path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PlatformError("open \(path)") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count >= 0 else { throw PlatformError("read \(path)") }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}

/// The names in a folder; those that begin with a dot only where they are asked for.
func entries(ofFolder path: String, includingHidden: Bool = false) throws -> [String] {
    guard let folder = opendir(path) else { throw PlatformError("opendir \(path)") }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") || (includingHidden && name != "." && name != "..") { names.append(name) }
    }
    return names
}

/// What a symbolic link leads to, as it says; nil if there is no such link.
func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4_096)
    let count = readlink(path, &buffer, buffer.count)
    return count < 0 ? nil : String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
}
