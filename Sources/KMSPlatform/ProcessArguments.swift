/// The arguments that this process was started with, as the kernel gave them.
///
/// On Linux `CommandLine` of the standard library reads them back from `/proc/self/cmdline`, and has none where `/proc`
/// is not mounted, as in some sandboxes. A program that trusts it takes "verify this" for "no command at all".
public enum ProcessArguments {
    /// Those after the program's name; what is not UTF-8 in them is repaired. Nil if the system did not tell: then
    /// nobody knows what this process was asked to do, and it must not pretend to.
    public static var strings: [String]? { pointers?.map { String(cString: $0) } }

    /// The same as C strings, byte for byte. They live as long as the process.
    public static var pointers: [UnsafeMutablePointer<CChar>]? {
        #if canImport(Glibc)
        let (count, vector) = (givenCount, givenVector)
        #else
        let (count, vector) = (CommandLine.argc, CommandLine.unsafeArgv)
        #endif
        guard count > 0, let vector else { return nil }
        return (1..<max(Int(count), 1)).compactMap { vector[$0] }
    }
}

#if canImport(Glibc)
private typealias Strings = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

// Written once, by the initialiser below, before `main` and so before there is a second thread.
private nonisolated(unsafe) var givenCount: CInt = 0
private nonisolated(unsafe) var givenVector: Strings?

/// glibc calls the initialisers of a program with what it calls `main` with. Other C libraries don't.
@section(".init_array") @used
private let initializer: @convention(c) (CInt, Strings?, Strings?) -> Void = { count, vector, _ in
    givenCount = count
    givenVector = vector
}
#endif

/// Where the files of the user are.
package enum HomeDirectory {
    /// - Parameter variable: the value of `HOME`, by default that of this process.
    /// - Returns: the value, else what the password database says; nil if neither knows.
    package static func path(variable: String? = processVariable) -> String? {
        if let variable, !variable.isEmpty { return variable }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // What sysconf(_SC_GETPW_R_SIZE_MAX) suggests is 1,024; entries from a directory service may be longer.
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress,
                getpwuid_r(getuid(), &entry, base, buffer.count, &found) == 0, found != nil,
                let directory = entry.pw_dir, directory[0] != 0
            else { return nil }
            return String(cString: directory)
        }
    }

    /// A path in which a leading `~/` is the home directory, which no shell has replaced; without a home
    /// directory it stays as it is.
    package static func expanding(_ path: String, variable: String? = processVariable) -> String {
        guard path.hasPrefix("~/"), let home = Self.path(variable: variable) else { return path }
        return home + path.dropFirst()
    }

    package static var processVariable: String? { getenv("HOME").map { String(cString: $0) } }
}
