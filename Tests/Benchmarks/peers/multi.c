// The ceiling: the same signed calls, without JSON-RPC, JSON or any check of the key but the benchmark's own.
//
//     multi WINDOW CONNECTIONS SECONDS COUNT WARM KEYS EVEN ODD
#define _GNU_SOURCE
#include <unistd.h>

#include "../figures.h"
#include "call.h"

struct transfer {
    struct call call;
    long tag;
    uint64_t start;
};

static void begin(CURLM *multi, struct transfer *transfer, long tag) {
    char text[32];
    snprintf(text, sizeof text, "t%ld", tag);
    transfer->tag = tag;
    transfer->start = nanoseconds(CLOCK_MONOTONIC);
    beginCall(multi, &transfer->call, text);
}

int main(int argumentCount, char **arguments) {
    if (argumentCount != 9) return 64;
    long window = atol(arguments[1]), warm = atol(arguments[5]), keys = atol(arguments[6]), count = atol(arguments[4]);
    double seconds = atof(arguments[3]);
    const char *expected[] = {arguments[7], arguments[8]};
    int status = prepareCalls();
    if (status) return status;
    CURLM *multi = makeMulti(atol(arguments[2]));

    struct transfer *transfers = calloc((size_t)window, sizeof *transfers);
    long sent = 0, answered = 0, wrong = 0, failed = 0, timed = 0, switches = 0;
    int isTimed = warm == 0;
    uint64_t beginning = nanoseconds(CLOCK_MONOTONIC), end = beginning, cpu = 0;
    struct latencies latencies = {0};
    for (long i = 0; i < window && (count == 0 || i < warm + count); i++) {
        prepareCall(&transfers[i].call);
        begin(multi, &transfers[i], sent++ % keys);
    }
    while (answered < sent) {
        int running, isAnswered, hasBegun = 0;
        curl_multi_perform(multi, &running);
        struct call *call;
        while ((call = endedCall(multi, &isAnswered))) {
            struct transfer *transfer = (struct transfer *)call;
            const char *key = expected[transfer->tag % 2];
            if (!isAnswered) failed++;
            else if (!memmem(call->body, call->bodyCount, key, strlen(key))) wrong++;
            end = nanoseconds(CLOCK_MONOTONIC);
            if (isTimed && transfer->start >= beginning) { addLatency(&latencies, end - transfer->start); timed++; }
            answered++;
            if (!isTimed && answered >= warm) {
                isTimed = 1;
                switches = contextSwitches(getpid());
                beginning = end = nanoseconds(CLOCK_MONOTONIC);
                cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
            }
            int goesOn = !isTimed || (count ? sent < warm + count : end - beginning < (uint64_t)(seconds * 1e9));
            if (goesOn) {
                begin(multi, transfer, sent++ % keys);
                hasBegun = 1;
            }
        }
        // What has begun just now was not performed yet, and what is performed may end: so no sleep between the two.
        if (answered < sent && !hasBegun) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    uint64_t cpuEnd = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    printFigures(&(struct figures){
        .answers = timed, .warm = answered - timed, .wrong = wrong, .failed = failed, .nanoseconds = end - beginning,
        .cpu = cpuEnd - cpu, .rss = peakKibibytes(getpid()), .switches = contextSwitches(getpid()) - switches}, &latencies, NULL);
    return 0;
}
