import KMSTestSupport
import Testing

@testable import KMSPlatform

@Suite struct OutputFileTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
    }

    private func text(_ name: String) throws -> String {
        String(decoding: try FileContents.of(folder.path(name)), as: UTF8.self)
    }

    private func status(_ name: String) throws -> stat {
        var status = stat()
        guard lstat(folder.path(name), &status) == 0 else { throw PlatformError("lstat") }
        return status
    }

    @Test func `a file is made, and replaced by another one`() throws {
        try OutputFile(folder.path("a")).write(Array("one".utf8))
        let first = try status("a")
        try OutputFile(folder.path("a")).write(Array("two".utf8))
        let second = try status("a")
        #expect(try text("a") == "two")
        // Who has the old one open keeps it whole.
        #expect(first.st_ino != second.st_ino)
    }

    @Test func `a file has the mode that the umask leaves`() throws {
        // It can't be asked for without being set.
        let mask = umask(0)
        umask(mask)
        try OutputFile(folder.path("a")).write([])
        #expect(try status("a").st_mode & 0o7777 == 0o666 & ~mask)
    }

    @Test(arguments: [0o640, 0o600, 0o755] as [mode_t])
    func `a file that is replaced passes its mode on`(mode: mode_t) throws {
        try OutputFile(folder.path("a")).write([])
        #expect(chmod(folder.path("a"), mode) == 0)
        try OutputFile(folder.path("a")).write(Array("x".utf8))
        #expect(try status("a").st_mode & 0o7777 == mode)
    }

    @Test func `the target of a link is any bytes`() throws {
        let target = Array(folder.path("caf").utf8) + [0xE9, 0]
        #expect(target.withUnsafeBytes { symlink($0.bindMemory(to: CChar.self).baseAddress!, folder.path("a")) } == 0)
        try OutputFile(folder.path("a")).write(Array("x".utf8))
        #expect(try text("a") == "x")
        #expect(try status("a").st_mode & S_IFMT == S_IFLNK)
        #expect(target.withUnsafeBytes { access($0.bindMemory(to: CChar.self).baseAddress!, F_OK) } == 0)
    }

    @Test func `a symbolic link stays, and what it points to is replaced`() throws {
        try OutputFile(folder.path("target")).write(Array("one".utf8))
        #expect(symlink("target", folder.path("inner")) == 0)
        #expect(symlink(folder.path("inner"), folder.path("outer")) == 0)
        #expect(symlink("absent", folder.path("dangling")) == 0)
        try OutputFile(folder.path("outer")).write(Array("two".utf8))
        try OutputFile(folder.path("dangling")).write(Array("new".utf8))
        #expect(try text("target") == "two")
        #expect(try text("absent") == "new")
        for name in ["inner", "outer", "dangling"] { #expect(try status(name).st_mode & S_IFMT == S_IFLNK) }
    }

    @Test func `links in a ring are an error`() throws {
        #expect(symlink("b", folder.path("a")) == 0)
        #expect(symlink("a", folder.path("b")) == 0)
        let error = #expect(throws: PlatformError.self) { try OutputFile(folder.path("a")).write([]) }
        #expect(error?.errorNumber == ELOOP)
    }

    @Test func `a device and a pipe are written to`() throws {
        try OutputFile("/dev/null").write(Array("x".utf8))
        #expect(throws: PlatformError.self) { try OutputFile("/dev/full").write(Array("x".utf8)) }
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        let reader = open(folder.path("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        try OutputFile(folder.path("pipe")).write(Array("x".utf8))
        #expect(try FileContents.of(descriptor: reader, maximumBytes: 10) == Array("x".utf8))
        #expect(try status("pipe").st_mode & S_IFMT == S_IFIFO)
    }

    @Test func `one of our descriptors is appended to where it stands`() throws {
        let descriptor = open(folder.path("log"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        try FileContents.append(Array("before ".utf8), to: descriptor)
        try OutputFile("/dev/fd/\(descriptor)").write(Array("after".utf8))
        #expect(try text("log") == "before after")
    }

    @Test func `what fails leaves nothing`() throws {
        #expect(throws: PlatformError.self) { try OutputFile(folder.path).write([]) }
        #expect(throws: PlatformError.self) { try OutputFile(folder.path("absent/a")).write([]) }
        #expect(throws: PlatformError.self) { try OutputFile("").write([]) }
    }
}
