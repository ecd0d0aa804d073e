import KMSPlatform
import Testing

@Suite struct DescriptorsTests {
    @Test func `a private copy is above the standard descriptors, closed on exec, and no copy of nothing`() throws {
        let copy = try #require(Descriptors.privateCopy(of: 1))
        defer { close(copy) }
        #expect(copy >= 3)
        #expect(fcntl(copy, F_GETFD) & FD_CLOEXEC != 0)
        #expect(Descriptors.privateCopy(of: -1) == nil)
        #expect(Descriptors.privateCopy(of: 1_000_000) == nil)
    }
}
