import TestSupport
import Testing

@testable import Platform

@Suite struct FileReplacementTests {
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
        try FileContents.replace(folder.path("a"), with: Array("one".utf8))
        let first = try status("a")
        try FileContents.replace(folder.path("a"), with: Array("two".utf8))
        let second = try status("a")
        #expect(try text("a") == "two")
        // Who has the old one open keeps it whole.
        #expect(first.st_ino != second.st_ino)
    }

    @Test func `a file has the mode that the umask leaves`() throws {
        // It can't be asked for without being set.
        let mask = umask(0)
        umask(mask)
        try FileContents.replace(folder.path("a"), with: [])
        #expect(try status("a").st_mode & 0o7777 == 0o666 & ~mask)
    }

    @Test func `a symbolic link stays, and what it points to is replaced`() throws {
        try FileContents.replace(folder.path("target"), with: Array("one".utf8))
        #expect(symlink("target", folder.path("inner")) == 0)
        #expect(symlink(folder.path("inner"), folder.path("outer")) == 0)
        #expect(symlink("absent", folder.path("dangling")) == 0)
        try FileContents.replace(folder.path("outer"), with: Array("two".utf8))
        try FileContents.replace(folder.path("dangling"), with: Array("new".utf8))
        #expect(try text("target") == "two")
        #expect(try text("absent") == "new")
        for name in ["inner", "outer", "dangling"] { #expect(try status(name).st_mode & S_IFMT == S_IFLNK) }
    }

    @Test func `links in a ring are an error`() throws {
        #expect(symlink("b", folder.path("a")) == 0)
        #expect(symlink("a", folder.path("b")) == 0)
        let error = #expect(throws: PlatformError.self) { try FileContents.replace(folder.path("a"), with: []) }
        #expect(error?.errorNumber == ELOOP)
    }

    @Test func `a device and a pipe are written to`() throws {
        try FileContents.replace("/dev/null", with: Array("x".utf8))
        #expect(throws: PlatformError.self) { try FileContents.replace("/dev/full", with: Array("x".utf8)) }
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        let reader = open(folder.path("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        try FileContents.replace(folder.path("pipe"), with: Array("x".utf8))
        #expect(try FileContents.of(descriptor: reader, maximumBytes: 10) == Array("x".utf8))
        #expect(try status("pipe").st_mode & S_IFMT == S_IFIFO)
    }

    @Test func `one of our descriptors is appended to where it stands`() throws {
        let descriptor = open(folder.path("log"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        try FileContents.append(Array("before ".utf8), to: descriptor)
        try FileContents.replace("/dev/fd/\(descriptor)", with: Array("after".utf8))
        #expect(try text("log") == "before after")
    }

    @Test func `what fails leaves nothing`() throws {
        #expect(throws: PlatformError.self) { try FileContents.replace(folder.path, with: []) }
        #expect(throws: PlatformError.self) { try FileContents.replace(folder.path("absent/a"), with: []) }
        #expect(throws: PlatformError.self) { try FileContents.replace("", with: []) }
    }
}
