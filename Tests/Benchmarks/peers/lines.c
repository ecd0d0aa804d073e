// Answers every line with bytes made beforehand: what a cached call could cost at best. It looks for the id and the
// last digit of the key tag, and checks nothing.
//
//     lines EVEN ODD      two files, each with the result of an answer
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char in[1 << 16], out[1 << 20], results[2][4096];
static size_t resultCounts[2], outCount;

static void put(const char *bytes, size_t count) {
    memcpy(out + outCount, bytes, count);
    outCount += count;
}

static void flush(void) {
    for (size_t start = 0; start < outCount;) {
        ssize_t written = write(1, out + start, outCount - start);
        if (written < 0) exit(1);
        start += (size_t)written;
    }
    outCount = 0;
}

static void answer(const char *line) {
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":";
    const char *id = strstr(line, "\"id\":"), *tag = strstr(line, "\"keyTag\":\"");
    if (!id || !tag) exit(1);
    id += 5;
    tag += 10;
    int isOdd = (tag[strcspn(tag, "\"") - 1] - '0') & 1;
    put(head, sizeof head - 1);
    put(id, strcspn(id, ","));
    put(",\"result\":", 10);
    put(results[isOdd], resultCounts[isOdd]);
    put("}\n", 2);
    if (outCount > sizeof out - 8192) flush();
}

int main(int count, char **arguments) {
    if (count != 3) return 64;
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(arguments[i + 1], "r");
        if (!file) return 66;
        resultCounts[i] = fread(results[i], 1, sizeof results[i], file);
        fclose(file);
    }
    size_t kept = 0;
    ssize_t got;
    while ((got = read(0, in + kept, sizeof in - kept)) > 0) {
        char *line = in, *end = in + kept + got, *feed;
        while ((feed = memchr(line, '\n', (size_t)(end - line)))) {
            *feed = 0;
            answer(line);
            line = feed + 1;
        }
        kept = (size_t)(end - line);
        memmove(in, line, kept);
        flush();
    }
    return 0;
}
