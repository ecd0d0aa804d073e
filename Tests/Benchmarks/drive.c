// Drives one program that answers JSON-RPC lines on its standard streams, checks every answer, and prints the figures
// as one line of JSON. CPU time is the kernel's clock of the driven process, all of its threads included.
//
//     drive [OPTION VALUE]… -- PROGRAM [ARGUMENT]…
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"

static struct {
    int childCPU, ownCPU;       // -1: anywhere
    long window;                // requests in flight
    double seconds;             // stop sending after so long, or
    long count;                 // after so many
    long keys;                  // the tags are t0 … t(keys - 1)
    long fresh;                 // one request in so many says "maxAgeMs":0; 0: none does
    double every;               // beside the window, one request each so many microseconds that may come from the cache
    long warm;                  // requests before the clock runs
    long padBytes;              // in a "_meta" member of each request
    double idle;                // seconds of rest that are measured in place of requests
    int lockstep;               // send the next window when the last one is answered
    int echo;                   // the answer is the request
    int shuffle;                // tags in a random order
    int once;                   // no standard streams: the program's end is its answer
    const char *even, *odd;     // what the answer to an even or odd tag holds
} options = {.childCPU = -1, .ownCPU = -1, .window = 1, .count = -1, .keys = 1000, .fresh = 1};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static char **readOptions(char **arguments) {
    for (; *arguments && strcmp(*arguments, "--"); arguments += 2) {
        const char *name = arguments[0], *value = arguments[1];
        if (!value) break;
        if (!strcmp(name, "--cpu")) options.childCPU = atoi(value);
        else if (!strcmp(name, "--own-cpu")) options.ownCPU = atoi(value);
        else if (!strcmp(name, "--window")) options.window = atol(value);
        else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
        else if (!strcmp(name, "--count")) options.count = atol(value);
        else if (!strcmp(name, "--keys")) options.keys = atol(value);
        else if (!strcmp(name, "--fresh")) options.fresh = atol(value);
        else if (!strcmp(name, "--every")) options.every = atof(value);
        else if (!strcmp(name, "--warm")) options.warm = atol(value);
        else if (!strcmp(name, "--pad")) options.padBytes = atol(value);
        else if (!strcmp(name, "--idle")) options.idle = atof(value);
        else if (!strcmp(name, "--lockstep")) options.lockstep = atoi(value);
        else if (!strcmp(name, "--echo")) options.echo = atoi(value);
        else if (!strcmp(name, "--shuffle")) options.shuffle = atoi(value);
        else if (!strcmp(name, "--once")) options.once = atoi(value);
        else if (!strcmp(name, "--even")) options.even = value;
        else if (!strcmp(name, "--odd")) options.odd = value;
        else { fprintf(stderr, "drive: unknown option %s\n", name); exit(64); }
    }
    if (!*arguments || !arguments[1]) { fprintf(stderr, "drive: no program\n"); exit(64); }
    return arguments + 1;
}

// MARK: Requests

static uint64_t mixed(uint64_t id) {  // splitmix64: the same order in every run
    id += 0x9E3779B97F4A7C15;
    id = (id ^ (id >> 30)) * 0xBF58476D1CE4E5B9;
    id = (id ^ (id >> 27)) * 0x94D049BB133111EB;
    return id ^ (id >> 31);
}

static long tagOf(long id) { return (long)((options.shuffle ? mixed((uint64_t)id) : (uint64_t)id) % options.keys); }

static char *out;
static size_t outCount, outStart, outCapacity;

static int isFresh(long id) { return options.fresh > 0 && mixed((uint64_t)id ^ 0xA5A5) % (uint64_t)options.fresh == 0; }

static void appendRequest(long id, int isFresh) {
    size_t need = outCount + 160 + (size_t)options.padBytes;
    if (need > outCapacity && !(out = realloc(out, outCapacity = 2 * need))) die("realloc");
    outCount += (size_t)sprintf(
        out + outCount, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"getPublicKey\",\"params\":{\"keyTag\":\"t%ld\"%s", id,
        tagOf(id), isFresh ? ",\"maxAgeMs\":0" : "");
    if (options.padBytes) {
        outCount += (size_t)sprintf(out + outCount, ",\"_meta\":\"");
        memset(out + outCount, 'x', (size_t)options.padBytes);
        outCount += (size_t)options.padBytes;
        out[outCount++] = '"';
    }
    memcpy(out + outCount, "}}\n", 3);
    outCount += 3;
}

// MARK: Answers

static long wrong, failed;

/// The id of an answer; checks that its key is the one of its tag.
static long check(const char *line, size_t count) {
    const char *member = memmem(line, count < 64 ? count : 64, "\"id\":", 5);
    if (!member) { wrong++; return -1; }
    long id = strtol(member + 5, NULL, 10);
    if (options.echo) return id;
    const char *expected = tagOf(id) % 2 ? options.odd : options.even;
    if (expected && !memmem(line, count, expected, strlen(expected))) {
        if (memmem(line, count, "\"error\":", 8)) failed++; else wrong++;
        static int shown;
        if (shown++ < 3) fprintf(stderr, "drive: unexpected: %.*s\n", (int)(count < 300 ? count : 300), line);
    }
    return id;
}

static pid_t start(char **program, int *toChild, int *fromChild) {
    int requests[2], answers[2];
    if (pipe2(requests, O_CLOEXEC) || pipe2(answers, O_CLOEXEC)) die("pipe");
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(options.childCPU, &set);
        if (options.childCPU >= 0 && sched_setaffinity(0, sizeof set, &set)) die("sched_setaffinity");
        dup2(requests[0], 0);
        dup2(answers[1], 1);
        execvp(program[0], program);
        die(program[0]);
    }
    close(requests[0]);
    close(answers[1]);
    fcntl(requests[1], F_SETFL, O_NONBLOCK);
    fcntl(answers[0], F_SETFL, O_NONBLOCK);
    *toChild = requests[1];
    *fromChild = answers[0];
    return child;
}

/// The figures of a program that does its one thing and ends.
static void printOnce(pid_t child, uint64_t launch) {
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) die("wait4");
    uint64_t end = nanoseconds(CLOCK_MONOTONIC);
    struct latencies none = {0};
    uint64_t cpu = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000
        + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
    printFigures(&(struct figures){
        .answers = 1, .failed = status != 0, .nanoseconds = end - launch, .cpu = cpu, .first = end - launch,
        .rss = usage.ru_maxrss, .switches = usage.ru_nvcsw, .status = status}, &none, &none);
}

struct sent {
    uint64_t at;
    enum { FRESH, CACHED, BESIDE } kind;
};

int main(int argumentCount, char **arguments) {
    (void)argumentCount;
    char **program = readOptions(arguments + 1);
    if (options.ownCPU >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(options.ownCPU, &set);
        if (sched_setaffinity(0, sizeof set, &set)) die("sched_setaffinity");
    }
    long maximum = 8 << 20;  // requests that fit into the memory for what is known of each
    struct latencies latencies = {0}, cachedLatencies = {0};
    struct sent *requests = calloc((size_t)maximum, sizeof *requests);
    size_t inCapacity = 1 << 20, inCount = 0;
    char *in = malloc(inCapacity);
    if (!requests || !in) die("malloc");

    int toChild, fromChild;
    uint64_t launch = nanoseconds(CLOCK_MONOTONIC), firstAnswer = 0, begin = launch, end = launch;
    pid_t child = start(program, &toChild, &fromChild);
    if (options.once) return printOnce(child, launch), 0;
    clockid_t cpuClock;
    if (clock_getcpuclockid(child, &cpuClock)) die("clock_getcpuclockid");
    uint64_t cpu = 0, due = 0;
    long sent = 0, answered = 0, beside = 0, isTimed = options.warm == 0, timed = 0, switches = 0;
    size_t timedBytes = 0;
    long limit = options.idle > 0 ? options.warm : options.count >= 0 ? options.warm + options.count : maximum;

    for (;;) {
        uint64_t now = nanoseconds(CLOCK_MONOTONIC);
        int mayWarm = sent < options.warm;
        int mayTime = isTimed && sent < limit
            && (options.count >= 0 || now - begin < (uint64_t)(options.seconds * 1e9));
        if ((mayWarm || mayTime) && (!options.lockstep || sent == answered)) {
            long end = mayWarm ? options.warm : limit;
            int isBeside = options.every > 0 && isTimed && now >= due;
            if (isBeside) due = now + (uint64_t)(options.every * 1e3);
            while ((isBeside || sent - answered - beside < options.window) && sent < end) {
                size_t before = outCount;
                requests[sent] = (struct sent){now, isBeside ? BESIDE : isFresh(sent) ? FRESH : CACHED};
                appendRequest(sent, requests[sent].kind == FRESH);
                if (isTimed) timedBytes += outCount - before;
                sent++;
                beside += isBeside;
                isBeside = 0;
            }
        } else if (sent == answered && !mayWarm && !mayTime) break;

        while (outStart < outCount) {
            ssize_t written = write(toChild, out + outStart, outCount - outStart);
            if (written < 0 && errno == EAGAIN) break;
            if (written < 0) die("write to the program");
            outStart += (size_t)written;
        }
        if (outStart == outCount) outStart = outCount = 0;

        struct pollfd entries[2] = {{fromChild, POLLIN, 0}, {toChild, outCount ? POLLOUT : 0, 0}};
        struct timespec rest = {60, 0};
        if (mayTime && options.every > 0) {
            now = nanoseconds(CLOCK_MONOTONIC);
            rest = (struct timespec){0, due > now ? (long)(due - now) : 0};
        }
        if (ppoll(entries, 2, &rest, NULL) <= 0) {
            if (mayTime && options.every > 0) continue;
            fprintf(stderr, "drive: no answer for a minute\n");
            return 1;
        }
        if (!(entries[0].revents & (POLLIN | POLLHUP))) continue;
        if (inCapacity - inCount < 1 << 18 && !(in = realloc(in, inCapacity *= 2))) die("realloc");
        ssize_t got = read(fromChild, in + inCount, inCapacity - inCount);
        if (got == 0) { fprintf(stderr, "drive: the program ended\n"); return 1; }
        if (got < 0) { if (errno == EAGAIN) continue; die("read"); }
        now = nanoseconds(CLOCK_MONOTONIC);
        if (!firstAnswer) firstAnswer = now;
        inCount += (size_t)got;
        char *line = in, *feed;
        while ((feed = memchr(line, '\n', (size_t)(in + inCount - line)))) {
            long id = check(line, (size_t)(feed - line));
            answered++;
            if (id >= 0 && id < sent) {
                const struct sent *request = &requests[id];
                if (request->kind == BESIDE) beside--;
                if (isTimed && id >= options.warm) {
                    addLatency(&latencies, now - request->at);
                    if (request->kind != FRESH) addLatency(&cachedLatencies, now - request->at);
                    timed++;
                }
            }
            line = feed + 1;
        }
        inCount = (size_t)(in + inCount - line);
        memmove(in, line, inCount);
        end = now;
        if (!isTimed && answered >= options.warm) {
            isTimed = 1;
            if (options.idle > 0) break;
            switches = contextSwitches(child);
            begin = nanoseconds(CLOCK_MONOTONIC);
            cpu = nanoseconds(cpuClock);
        }
    }
    uint64_t cpuEnd = nanoseconds(cpuClock);
    switches = contextSwitches(child) - switches;
    if (options.idle > 0) {
        usleep(200000);  // what the last request left behind
        switches = contextSwitches(child);
        begin = nanoseconds(CLOCK_MONOTONIC);
        cpu = nanoseconds(cpuClock);
        usleep((useconds_t)(options.idle * 1e6));
        cpuEnd = nanoseconds(cpuClock);
        end = nanoseconds(CLOCK_MONOTONIC);
        switches = contextSwitches(child) - switches;
    }
    long rss = peakKibibytes(child);
    close(toChild);
    int status;
    if (waitpid(child, &status, 0) < 0) die("waitpid");
    printFigures(&(struct figures){
        .answers = timed, .wrong = wrong, .failed = failed, .nanoseconds = end - begin, .cpu = cpuEnd - cpu,
        .warm = options.warm, .first = firstAnswer - launch, .bytes = (long)timedBytes, .rss = rss, .switches = switches,
        .status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)}, &latencies, &cachedLatencies);
    return 0;
}
