import Platform

/// A file with mode 0600 in a directory of its own with mode 0700, under `$TMPDIR` or `/tmp`.
package struct PrivateFile {
    package let path: String
    private let directory: String

    package init(name: String, contents: String) throws(PlatformError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        var template = Array("\(parent.isEmpty ? "/tmp" : parent)/ncloud-kms-emulator.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PlatformError("mkdtemp") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        path = "\(directory)/\(name)"
        let failure = Self.create(path, contents)
        if let failure {
            remove()
            throw failure
        }
    }

    private static func create(_ path: String, _ contents: String) -> PlatformError? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return PlatformError("open") }
        defer { close(descriptor) }
        do { try FileContents.append(Array(contents.utf8), to: descriptor) } catch { return error }
        return nil
    }

    /// Removes the file and its directory; nothing happens when they are gone.
    package func remove() {
        unlink(path)
        rmdir(directory)
    }
}
