// System calls of Linux that do not import into Swift because they are variadic or have no wrapper in glibc.
// No C logic lives here. On other systems the header is empty, and the callers have their own `#if os(Linux)`.
#pragma once
#ifdef __linux__
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/// `prctl(PR_SET_DUMPABLE, value)`: 0 forbids core dumps and attaching by other processes of the user.
static inline int clinux_set_dumpable(int value) { return prctl(PR_SET_DUMPABLE, (unsigned long)value, 0, 0, 0); }

/// Names the calling thread, as `/proc/PID/task/*/comm` shows it; cut to 15 bytes by the kernel.
static inline int clinux_set_thread_name(const char *name) { return prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); }

/// `pipe2(2)`: both ends get the flags at once, so no program that is started meanwhile inherits them.
static inline int clinux_pipe2(int ends[2], int flags) { return (int)syscall(SYS_pipe2, ends, flags); }

/// A descriptor that becomes readable when the process ends, or -1 with `errno` (ESRCH: no such process).
static inline int clinux_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

/// `prctl(PR_SET_PDEATHSIG, signal)`: the signal comes when the thread that has started this process ends.
static inline int clinux_set_parent_death_signal(int signal) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0);
}

/// `write(2)` that returns -1 with EAGAIN instead of waiting, whatever the descriptor's flags are (`pwritev2` with
/// RWF_NOWAIT, for pipes since Linux 6.4; EOPNOTSUPP before).
static inline ssize_t clinux_write_nowait(int fd, const void *bytes, size_t count) {
    struct iovec part = {(void *)bytes, count};
    return syscall(SYS_pwritev2, fd, &part, 1UL, -1L, -1L, 8 /* RWF_NOWAIT */);
}

/// Fixes the size from which on glibc gives a block a mapping of its own. Other C libraries have no such setting.
static inline void clinux_set_mapping_threshold(int bytes) {
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, bytes);
#else
    (void)bytes;
#endif
}
#endif
