import Platform

/// A folder under `/tmp` that is removed, with the files in it, when it is freed.
package final class TemporaryFolder: Sendable {
    package let path: String
    private let files = Lock<Set<String>>([])

    package init() throws {
        var template = Array("/tmp/ncloud-kms-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PlatformError("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for file in files.withLock({ $0 }) { unlink(file) }
        rmdir(path)
    }

    /// Writes a file and gives its path. A file of that name is replaced.
    package func write(_ contents: [UInt8], to name: String) throws -> String {
        let path = reserve(name)
        guard let file = fopen(path, "w") else { throw PlatformError("fopen") }
        let written = fwrite(contents, 1, contents.count, file)
        guard fclose(file) == 0, written == contents.count else { throw PlatformError("fwrite") }
        return path
    }

    package func write(_ contents: String, to name: String) throws -> String {
        try write(Array(contents.utf8), to: name)
    }

    /// The path for a file that somebody else will write.
    package func reserve(_ name: String) -> String {
        let path = "\(path)/\(name)"
        files.withLock { _ = $0.insert(path) }
        return path
    }
}
