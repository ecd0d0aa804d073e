import Platform

/// A small file that holds a secret, read into memory that is wiped when freed.
package struct SecretFile: Sendable {
    /// 400 profiles fit; more is a mistake in the path, and not worth the memory.
    package static let maximumBytes = 64 << 10

    package typealias Problem = RegularFile.Problem

    package let contents: SecretBytes
    package let stamp: FileStamp
    /// Whether users other than its owner may read it, and its mode can be changed.
    package let isNeedlesslyReadable: Bool

    package init(reading path: String) throws(Problem) {
        let file = try RegularFile(opening: path)
        stamp = file.stamp
        isNeedlesslyReadable = file.isReadableByOthers && !file.isOnReadOnlyMount
        contents = try SecretBytes(capacity: Self.maximumBytes + 1) { memory throws(Problem) in
            try file.read(into: UnsafeMutableRawBufferPointer(memory))
        }
    }
}
