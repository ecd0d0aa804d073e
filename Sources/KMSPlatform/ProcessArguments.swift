/// The arguments of this process, as the kernel passed them.
///
/// On Linux the standard library's `CommandLine` reads them back from `/proc/self/cmdline`, and returns none if `/proc`
/// is not mounted, as in some sandboxes. A program that relied on it would mistake "verify this" for no command at all.
public enum ProcessArguments {
    /// The arguments after the program's name; invalid UTF-8 is repaired. Nil if the system did not provide them: then
    /// the program can't know what it was asked to do, and must not start.
    public static var strings: [String]? { pointers?.map { String(cString: $0) } }

    /// The same as C strings, byte for byte. They live as long as the process.
    public static var pointers: [UnsafeMutablePointer<CChar>]? { all.map { Array($0.dropFirst()) } }

    /// The same as bytes.
    package static var bytes: [[UInt8]]? {
        pointers?.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    /// The last component of the name that the program was started by, which may be that of a link to it. Nil if the
    /// system did not provide it.
    package static var programName: String? {
        guard let path = all?.first.map({ String(cString: $0) }) else { return nil }
        return path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    private static var all: [UnsafeMutablePointer<CChar>]? {
        #if canImport(Glibc)
        let (count, vector) = (givenCount, givenVector)
        #else
        let (count, vector) = (CommandLine.argc, CommandLine.unsafeArgv)
        #endif
        guard count > 0, let vector else { return nil }
        return (0..<Int(count)).compactMap { vector[$0] }
    }
}

#if canImport(Glibc)
private typealias Strings = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

// Written once, by the initialiser below, before `main` and so before there is a second thread.
private nonisolated(unsafe) var givenCount: CInt = 0
private nonisolated(unsafe) var givenVector: Strings?

/// glibc passes the arguments of `main` to a program's initialisers, too. Other C libraries don't.
@section(".init_array") @used
private let initializer: @convention(c) (CInt, Strings?, Strings?) -> Void = { count, vector, _ in
    givenCount = count
    givenVector = vector
}
#endif

/// The user's home directory.
package enum HomeDirectory {
    /// - Parameter variable: the value of `HOME`, by default this process's.
    /// - Returns: the value if it is set, else what the password database says; nil if neither has one.
    package static func path(variable: String? = processVariable) -> String? {
        if let variable, !variable.isEmpty { return variable }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // sysconf(_SC_GETPW_R_SIZE_MAX) suggests 1,024; entries from a directory service may be longer.
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress,
                getpwuid_r(getuid(), &entry, base, buffer.count, &found) == 0, found != nil,
                let directory = entry.pw_dir, directory[0] != 0
            else { return nil }
            return String(cString: directory)
        }
    }

    /// Replaces a leading `~/` that no shell has expanded. Without a home directory the path stays as it is.
    package static func expanding(_ path: String, variable: String? = processVariable) -> String {
        guard path.hasPrefix("~/"), let home = Self.path(variable: variable) else { return path }
        return home + path.dropFirst()
    }

    /// The value of `HOME` in this process's environment.
    package static var processVariable: String? { getenv("HOME").map { String(cString: $0) } }
}
