// What both `drive` and the C peer measure, and how they print it.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct latencies { uint64_t *values; size_t count, capacity; };

static void addLatency(struct latencies *all, uint64_t value) {
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? 2 * all->capacity : 1 << 16;
        if (!(all->values = realloc(all->values, all->capacity * sizeof value))) abort();
    }
    all->values[all->count++] = value;
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/// A number out of a file of /proc, behind a name; 0 if it is not there.
static long numberIn(const char *path, const char *name) {
    char line[256];
    long number = 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) number = atol(line + strlen(name));
    fclose(file);
    return number;
}

static inline long peakKibibytes(pid_t process) {
    char path[64];
    sprintf(path, "/proc/%d/status", process);
    return numberIn(path, "VmHWM:");
}

/// How often a thread went to sleep. Those that were not voluntary tell of what else the machine does.
static inline long contextSwitches(pid_t process) {
    char path[300];
    long sum = 0;
    sprintf(path, "/proc/%d/task", process);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        if (task->d_name[0] == '.') continue;
        sprintf(path, "/proc/%d/task/%s/status", process, task->d_name);
        sum += numberIn(path, "voluntary_ctxt_switches:");
    }
    if (tasks) closedir(tasks);
    return sum;
}

struct figures {
    long answers, warm, wrong, failed, bytes, rss, switches, status;
    uint64_t nanoseconds, cpu, first;
};

static void printQuantiles(const char *name, struct latencies *all) {
    qsort(all->values, all->count, sizeof *all->values, compare);
    double quantiles[] = {0.5, 0.99, 0.999};
    printf(",\"%s\":[", name);
    for (int i = 0; i < 3; i++) {
        size_t index = (size_t)(quantiles[i] * (double)all->count);
        if (index >= all->count) index = all->count ? all->count - 1 : 0;
        printf("%s%.2f", i ? "," : "", all->count ? (double)all->values[index] / 1e3 : 0);
    }
    printf("]");
}

/// - cached: those of the latencies that may come from a cache; NULL without one.
static void printFigures(const struct figures *figures, struct latencies *all, struct latencies *cached) {
    printf("{\"answers\":%ld,\"warm\":%ld,\"wrong\":%ld,\"failed\":%ld,\"seconds\":%.9f,\"cpuSeconds\":%.9f,\"firstMs\":%.3f,"
        "\"requestBytes\":%ld,\"rssKiB\":%ld,\"contextSwitches\":%ld,\"exitStatus\":%ld",
        figures->answers, figures->warm, figures->wrong, figures->failed, (double)figures->nanoseconds / 1e9,
        (double)figures->cpu / 1e9, (double)figures->first / 1e6, figures->bytes, figures->rss, figures->switches,
        figures->status);
    printQuantiles("latencyUs", all);
    if (cached) printQuantiles("cachedLatencyUs", cached);
    printf("}\n");
}
