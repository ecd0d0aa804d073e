// The same job on one loop: JSON-RPC lines on stdin, signed calls on 32 connections, answers on stdout. It looks for the
// id and the key tag of a line, and for the key of an answer; it checks nothing and keeps nothing.
#define _GNU_SOURCE
#include <unistd.h>

#include "call.h"

struct transfer {
    struct call call;
    struct transfer *next;
    char id[32];
};

static char in[1 << 16], out[1 << 20];
static size_t inCount, outCount;
static struct transfer *idle;

static struct transfer *anyTransfer(void) {
    struct transfer *transfer = idle;
    if (transfer) { idle = transfer->next; return transfer; }
    if (!(transfer = calloc(1, sizeof *transfer))) exit(1);
    prepareCall(&transfer->call);
    return transfer;
}

static void flush(void) {
    for (size_t start = 0; start < outCount;) {
        ssize_t written = write(1, out + start, outCount - start);
        if (written < 0) exit(1);
        start += (size_t)written;
    }
    outCount = 0;
}

/// Copies a member's value up to one of some bytes.
static void copyMember(char *value, size_t capacity, const char *line, const char *name, const char *end) {
    const char *start = strstr(line, name);
    if (!start) exit(1);
    start += strlen(name);
    size_t count = strcspn(start, end);
    if (count >= capacity) exit(1);
    memcpy(value, start, count);
    value[count] = 0;
}

static void begin(CURLM *multi, const char *line) {
    char tag[64];
    struct transfer *transfer = anyTransfer();
    copyMember(transfer->id, sizeof transfer->id, line, "\"id\":", ",}");
    copyMember(tag, sizeof tag, line, "\"keyTag\":\"", "\"");
    beginCall(multi, &transfer->call, tag);
}

/// 0 at the end of the input.
static int readLines(CURLM *multi) {
    ssize_t got = read(0, in + inCount, sizeof in - inCount);
    if (got <= 0) return 0;
    char *line = in, *end = in + inCount + got, *feed;
    while ((feed = memchr(line, '\n', (size_t)(end - line)))) {
        *feed = 0;
        begin(multi, line);
        line = feed + 1;
    }
    inCount = (size_t)(end - line);
    memmove(in, line, inCount);
    return 1;
}

/// A string of a body, with its quotes.
static const char *member(const struct call *call, const char *name, int *count) {
    const char *end = call->body + call->bodyCount;
    const char *start = memmem(call->body, call->bodyCount, name, strlen(name));
    if (start) start = memchr(start + strlen(name), '"', (size_t)(end - start) - strlen(name));
    const char *quote = start ? memchr(start + 1, '"', (size_t)(end - start) - 1) : NULL;
    *count = quote ? (int)(quote + 1 - start) : 0;
    return quote ? start : NULL;
}

static void answer(struct transfer *transfer, int isAnswered) {
    int count;
    const char *key = isAnswered ? member(&transfer->call, "\"publicKey\":", &count) : NULL;
    if (outCount > sizeof out - 2 * sizeof transfer->call.body) flush();
    outCount += (size_t)sprintf(out + outCount, "{\"jsonrpc\":\"2.0\",\"id\":%s,", transfer->id);
    outCount += key ? (size_t)sprintf(out + outCount, "\"result\":{\"publicKey\":%.*s}}\n", count, key)
        : (size_t)sprintf(out + outCount, "\"error\":{\"code\":-32000,\"message\":\"no key\"}}\n");
    transfer->next = idle;
    idle = transfer;
}

int main(void) {
    int status = prepareCalls(), running = 0, isOpen = 1;
    if (status) return status;
    CURLM *multi = makeMulti(32);
    while (isOpen || running) {
        struct curl_waitfd input = {.fd = 0, .events = CURL_WAIT_POLLIN};
        curl_multi_poll(multi, &input, isOpen, 1000, NULL);
        if (input.revents) isOpen = readLines(multi);
        curl_multi_perform(multi, &running);
        struct call *call;
        int isAnswered;
        while ((call = endedCall(multi, &isAnswered))) answer((struct transfer *)call, isAnswered);
        flush();
    }
    return 0;
}
