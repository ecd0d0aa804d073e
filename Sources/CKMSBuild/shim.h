// What `make` knows about a build and the sources don't say. It comes in an object file that only the programs of
// `make build` are linked with, so that a new commit does not recompile anything. Other builds don't have these symbols.
#pragma once
#ifdef __linux__
/// The commit, with "-dirty" if the sources differ from it.
extern const char ncloud_kms_build_commit[] __attribute__((weak));
/// The compiler's version, which is also the version of the statically linked runtime.
extern const char ncloud_kms_build_swift[] __attribute__((weak));

/// Null if the build has none.
static inline const char *cbuild_commit(void) { return ncloud_kms_build_commit; }
/// Null if the build has none.
static inline const char *cbuild_swift(void) { return ncloud_kms_build_swift; }
#else
static inline const char *cbuild_commit(void) { return 0; }
static inline const char *cbuild_swift(void) { return 0; }
#endif
