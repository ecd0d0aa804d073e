import CKMSOpenSSL
import KMSPlatform

/// A secret in memory that is wiped when the last reference is released. It always prints as `<redacted>`.
public final class SecretBytes: @unchecked Sendable {
    // Sendable: the memory is written only in `init` and `deinit`, when nobody else can see it.
    private let memory: UnsafeMutableBufferPointer<UInt8>

    /// Copies the secret. The caller must wipe its own copy.
    public init(_ bytes: some Collection<UInt8>) {
        memory = .allocate(capacity: bytes.count)
        _ = memory.initialize(fromContentsOf: bytes)
    }

    /// Copies the UTF-8 of a text, which can't be wiped itself: prefer bytes where you have them.
    public convenience init(_ text: String) {
        self.init(text.utf8)
    }

    /// Keeps the bytes that `fill` writes.
    ///
    /// - Parameter fill: writes into zeroed memory, and returns how many bytes it has used, from the start.
    init<Failure: Error>(
        capacity: Int, fill: (UnsafeMutableBufferPointer<UInt8>) throws(Failure) -> Int
    ) throws(Failure) {
        let whole = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: capacity)
        whole.initialize(repeating: 0)
        defer { Self.discard(whole) }
        let count = try fill(whole)
        memory = .allocate(capacity: count)
        _ = memory.initialize(fromContentsOf: whole[..<count])
    }

    deinit {
        Self.discard(memory)
    }

    private static func discard(_ memory: UnsafeMutableBufferPointer<UInt8>) {
        OPENSSL_cleanse(memory.baseAddress, memory.count)
        memory.deallocate()
    }

    /// How many bytes it has.
    public var count: Int { memory.count }

    /// Passes the bytes to `body`, which must not keep them.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeBufferPointer(memory))
    }
}

extension SecretBytes: Equatable {
    /// Takes the same time for all secrets of the same length.
    public static func == (left: SecretBytes, right: SecretBytes) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left.memory.baseAddress, right.memory.baseAddress, left.count) == 0
    }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `<redacted>`.
    public var description: String { "<redacted>" }
    /// `<redacted>`.
    public var debugDescription: String { "<redacted>" }
    /// Has no children.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A small file with a secret, read into memory that is wiped when it is freed.
struct SecretFile: Sendable {
    /// Enough for 400 profiles; a larger file means that the path is wrong.
    static let maximumBytes = 64 << 10

    typealias Problem = RegularFile.Problem

    let contents: SecretBytes
    let stamp: FileStamp
    /// Whether other users can read or change it, and that can be prevented.
    let isNeedlesslyOpen: Bool

    init(reading path: String) throws(Problem) {
        let file = try RegularFile(opening: path)
        stamp = file.stamp
        isNeedlesslyOpen = file.isOpenToOthers && !file.isOnReadOnlyMount
        contents = try SecretBytes(capacity: Self.maximumBytes + 1) { memory throws(Problem) in
            try file.read(into: UnsafeMutableRawBufferPointer(memory))
        }
    }
}
