// The C library and what the standard library keeps in a module of its own, for all modules that import `Platform`.
#if canImport(Glibc)
@_exported import Glibc
#elseif canImport(Musl)
@_exported import Musl
#elseif canImport(Darwin)
@_exported import Darwin
#endif

// For `Atomic`; locks are `Lock`, for the reason that stands there.
@_exported import Synchronization
