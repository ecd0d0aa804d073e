// hiredis for Swift: its reader and its formatter. The program links it statically, so the version of this header is the
// one that runs. Debian 12 has 0.14, which knows RESP2 only; the types differ in 1.x, which also knows RESP3.
#pragma once
#include <hiredis/hiredis.h>

#if HIREDIS_MAJOR >= 1
/// The number of elements of an array.
typedef size_t chiredis_count;

static void *chiredis_refuse_double(const redisReadTask *task, double value, char *text, size_t length) {
    (void)task, (void)value, (void)text, (void)length;
    return NULL;
}

static void *chiredis_refuse_bool(const redisReadTask *task, int value) {
    (void)task, (void)value;
    return NULL;
}
#else
/// The number of elements of an array.
typedef int chiredis_count;
#endif

/// Functions that make every reply an error: set those for the types of RESP2. Without a function for the others, the
/// reader would return a number as the address of the reply.
static inline redisReplyObjectFunctions chiredis_functions(void) {
    redisReplyObjectFunctions functions = {0};
#if HIREDIS_MAJOR >= 1
    functions.createDouble = chiredis_refuse_double;
    functions.createBool = chiredis_refuse_bool;
#endif
    return functions;
}
