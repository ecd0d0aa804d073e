/// Where the files of the user are.
package enum HomeDirectory {
    /// - Parameter variable: the value of `HOME`; that of this process unless told otherwise.
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

    /// A path in which a leading `~/` is the home directory, as no shell has seen it that would say so; without a home
    /// directory it stays as it is.
    package static func expanding(_ path: String, variable: String? = processVariable) -> String {
        guard path.hasPrefix("~/"), let home = Self.path(variable: variable) else { return path }
        return home + path.dropFirst()
    }

    package static var processVariable: String? { getenv("HOME").map { String(cString: $0) } }
}
