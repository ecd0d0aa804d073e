import KMSPlatform
import KMSTestSupport
import Testing

@testable import KMSEmulator

@Suite struct CertificateFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func mode(_ path: String) -> mode_t? {
        var info = stat()
        return lstat(path, &info) == 0 ? info.st_mode : nil
    }

    // MARK: A file that the user named

    @Test func `a published file can be read by everybody, and stays`() throws {
        let file = try CertificateFile(publishing: "PEM\n", at: directory.path("ca.pem"))
        #expect(file.path == directory.path("ca.pem"))
        #expect(mode(file.path) == S_IFREG | 0o644)
        #expect(try FileContents.of(file.path) == Array("PEM\n".utf8))
        file.remove()
        #expect(mode(file.path) != nil)
    }

    @Test func `an older one is replaced as a whole, through a link, too`() throws {
        try directory.write(String(repeating: "old", count: 1_000), to: "old.pem")
        #expect(symlink("old.pem", directory.path("link.pem")) == 0)
        let old = try FileContents.of(directory.path("old.pem"))
        let reader = open(directory.path("old.pem"), O_RDONLY | O_CLOEXEC)
        defer { close(reader) }
        let file = try CertificateFile(publishing: "PEM\n", at: directory.path("link.pem"))
        #expect(file.path == directory.path("link.pem"))
        #expect(mode(directory.path("link.pem")).map { $0 & S_IFMT } == S_IFLNK)
        #expect(try FileContents.of(directory.path("link.pem")) == Array("PEM\n".utf8))
        // A reader that has opened the old one keeps it.
        var seen: [UInt8] = []
        try FileContents.read(descriptor: reader) { seen += $0 }
        #expect(seen == old)
    }

    @Test func `what is not a regular file is never replaced`() throws {
        #expect(mkfifo(directory.path("fifo"), 0o600) == 0)
        #expect(mkdir(directory.path("folder"), 0o700) == 0)
        let (reader, writer) = try Descriptors.pipe()
        defer { for end in [reader, writer] { close(end) } }
        // As /dev/stdout is, when a pipe is there.
        #expect(symlink("/proc/self/fd/\(writer)", directory.path("pipe")) == 0)
        #expect(symlink("nowhere", directory.path("dangling")) == 0)
        #expect(symlink("fifo", directory.path("link")) == 0)
        for name in ["fifo", "folder", "pipe", "dangling", "link"] {
            let path = directory.path(name)
            let before = mode(path)
            #expect(throws: PlatformError("\(path) is not a regular file", errorNumber: EINVAL)) {
                try CertificateFile(publishing: "PEM\n", at: path)
            }
            #expect(mode(path) == before, "\(name)")
        }
    }

    @Test func `a file in a folder that is not there is an error that names it`() {
        let path = directory.path("missing/ca.pem")
        #expect(throws: PlatformError("write \(path)", errorNumber: ENOENT)) {
            try CertificateFile(publishing: "PEM\n", at: path)
        }
    }

    // MARK: A temporary folder

    private func names() throws -> [String] {
        try ChildProcess.run("/bin/ls", ["-A", directory.path]).split(separator: "\n").map(String.init)
    }

    @Test func `a folder is removed with its owner`() throws {
        let folder = try TemporaryFolder(in: directory.path, contents: [1])
        #expect(mode(folder.path) == S_IFDIR | 0o700)
        #expect(mode(folder.filePath) == S_IFREG | 0o600)
        folder.remove()
        folder.remove()
        #expect(try names() == [])
    }

    @Test func `a leftover is removed by the next one, a folder in use is not`() throws {
        let held = try TemporaryFolder(in: directory.path, contents: [1])
        let leftover = directory.path("ncloud-kms-emulator-ca.AbCd12")
        #expect(mkdir(leftover, 0o700) == 0)
        try directory.write("old", to: "ncloud-kms-emulator-ca.AbCd12/ca.pem")
        let next = try TemporaryFolder(in: directory.path, contents: [2])
        #expect(mode(leftover) == nil)
        #expect(mode(held.filePath) != nil)
        #expect(mode(next.filePath) != nil)
    }

    @Test func `what only looks like a leftover stays`() throws {
        let others = [
            "ncloud-kms-emulator-ca.AbCd1", "ncloud-kms-emulator-ca.AbCd123", "ncloud-kms-emulator-cb.AbCd12",
        ]
        for name in others { #expect(mkdir(directory.path(name), 0o700) == 0) }
        let open = "ncloud-kms-emulator-ca.0pen00"
        #expect(mkdir(directory.path(open), 0o755) == 0)
        let full = "ncloud-kms-emulator-ca.full00"
        #expect(mkdir(directory.path(full), 0o700) == 0)
        try directory.write("mine", to: "\(full)/notes.txt")
        #expect(symlink("/tmp", directory.path("ncloud-kms-emulator-ca.link00")) == 0)
        try TemporaryFolder(in: directory.path, contents: []).remove()
        #expect(try Set(names()) == Set(others + [open, full, "ncloud-kms-emulator-ca.link00"]))
        #expect(try FileContents.of(directory.path("\(full)/notes.txt")) == Array("mine".utf8))
    }

    @Test func `folders that are made and cleared at once never lose a file`() async throws {
        let path = directory.path
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<50 {
                        let folder = try TemporaryFolder(in: path, contents: [7])
                        #expect(try FileContents.of(folder.filePath) == [7])
                        folder.remove()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try names() == [])
    }
}
