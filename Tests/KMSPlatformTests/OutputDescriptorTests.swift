import KMSPlatform
import Testing

/// No write may wait, whatever the descriptor is and however its flags are: a test that hangs here has failed.
@Suite struct OutputDescriptorTests {
    private static let piece = [UInt8](repeating: 0x78, count: 100_000)

    /// Writes until nothing goes any more; gives the number of bytes that went.
    private func fill(_ output: OutputDescriptor, pieceBytes: Int) -> Int {
        var total = 0
        while true {
            let result = Self.piece[..<pieceBytes].withUnsafeBytes { output.write($0) }
            guard case .wrote(let count) = result, count > 0 else {
                #expect(result == .wouldBlock)
                return total
            }
            total += count
        }
    }

    @Test(arguments: [1, 255, 4_095, 4_096, 4_097, 100_000], [false, true])
    func `a full pipe is not waited for, and what was written is there`(pieceBytes: Int, isNonBlocking: Bool) throws {
        var ends: [CInt] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        // The smallest pipe, or single bytes take long.
        _ = fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, 4_096)
        if isNonBlocking { _ = fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_NONBLOCK) }
        let flags = fcntl(ends[1], F_GETFL)

        let output = OutputDescriptor(ends[1])
        let written = fill(output, pieceBytes: pieceBytes)
        #expect(written > 0)
        #expect(fcntl(ends[1], F_GETFL) == flags)

        var buffer = [UInt8](repeating: 0, count: written + 1)
        #expect(read(ends[0], &buffer, buffer.count) == written)
        #expect(fill(output, pieceBytes: pieceBytes) > 0, "there is room again")
    }

    @Test(arguments: [1, 1_000, 100_000])
    func `a full socket is not waited for`(pieceBytes: Int) throws {
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { ends.forEach { close($0) } }
        var size: CInt = 4_096
        setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        #expect(fill(OutputDescriptor(ends[1]), pieceBytes: pieceBytes) > 0)
    }

    @Test(arguments: [1, 37, 250, 256, 100_000])
    func `a terminal that nobody reads is not waited for`(pieceBytes: Int) throws {
        let controller = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        try #require(controller >= 0)
        defer { close(controller) }
        // TIOCSPTLCK and TIOCGPTPEER, which are macros that Swift does not import.
        var isLocked: CInt = 0
        try #require(ioctl(controller, 0x4004_5431, &isLocked) == 0)
        let terminal = ioctl(controller, 0x5441, O_RDWR | O_NOCTTY)
        try #require(terminal >= 0)
        defer { close(terminal) }
        #expect(fill(OutputDescriptor(terminal), pieceBytes: pieceBytes) > 0)
    }

    @Test func `a file takes everything`() throws {
        let file = try #require(tmpfile())
        defer { fclose(file) }
        let output = OutputDescriptor(fileno(file))
        for _ in 0..<10 { #expect(Self.piece.withUnsafeBytes { output.write($0) } == .wrote(Self.piece.count)) }
        #expect(lseek(fileno(file), 0, SEEK_END) == off_t(10 * Self.piece.count))
    }

    @Test func `the null device takes everything`() {
        let device = open("/dev/null", O_WRONLY)
        defer { close(device) }
        let output = OutputDescriptor(device)
        for _ in 0..<10 {
            guard case .wrote(let count) = Self.piece.withUnsafeBytes({ output.write($0) }), count > 0 else {
                Issue.record("a device that is always ready did not take a byte")
                return
            }
        }
    }

    @Test func `a descriptor without a reader, or an invalid one, is closed`() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [CInt] = [-1, -1]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        #expect(Self.piece.withUnsafeBytes { OutputDescriptor(ends[1]).write($0) } == .closed(EPIPE))

        var sockets: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &sockets) == 0)
        close(sockets[0])
        defer { close(sockets[1]) }
        #expect(Self.piece.withUnsafeBytes { OutputDescriptor(sockets[1]).write($0) } == .closed(EPIPE))

        #expect(Self.piece.withUnsafeBytes { OutputDescriptor(-1).write($0) } == .closed(EBADF))
    }

    @Test func `nothing is written of nothing`() {
        #expect(OutputDescriptor(-1).write(UnsafeRawBufferPointer(start: nil, count: 0)) == .wrote(0))
    }
}
