// The ceiling: the same signed calls on libcurl's multi interface, without JSON-RPC, JSON or any check of the key but
// the benchmark's own.
//
//     multi WINDOW CONNECTIONS SECONDS COUNT WARM KEYS EVEN ODD
//
// Endpoint, CA file and credentials come from the environment, under the names that ncloud-kms-rpc has for them.
#define _GNU_SOURCE
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <unistd.h>

#include "../figures.h"

struct transfer {
    CURL *easy;
    struct curl_slist *headers;
    long tag;
    uint64_t start;
    size_t bodyCount;
    char body[4096];
};

static const char *endpoint, *accessKey;
static EVP_MAC_CTX *mac;

static size_t receive(char *bytes, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    count *= size;
    if (transfer->bodyCount + count > sizeof transfer->body) return 0;
    memcpy(transfer->body + transfer->bodyCount, bytes, count);
    transfer->bodyCount += count;
    return count;
}

static void begin(CURLM *multi, struct transfer *transfer, long tag) {
    char target[64], url[256], message[256], header[256];
    unsigned char digest[32], signature[45];
    size_t length;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long milliseconds = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    snprintf(target, sizeof target, "/kms/v1/keys/t%ld/get-pub-key", tag);
    int count = snprintf(message, sizeof message, "POST %s\n%lld\n%s", target, milliseconds, accessKey);
    EVP_MAC_init(mac, NULL, 0, NULL);
    EVP_MAC_update(mac, (unsigned char *)message, (size_t)count);
    EVP_MAC_final(mac, digest, &length, sizeof digest);
    EVP_EncodeBlock(signature, digest, 32);

    curl_slist_free_all(transfer->headers);
    transfer->headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(header, sizeof header, "x-ncp-apigw-timestamp: %lld", milliseconds);
    curl_slist_append(transfer->headers, header);
    snprintf(header, sizeof header, "x-ncp-iam-access-key: %s", accessKey);
    curl_slist_append(transfer->headers, header);
    snprintf(header, sizeof header, "x-ncp-apigw-signature-v2: %s", signature);
    curl_slist_append(transfer->headers, header);
    snprintf(url, sizeof url, "%s%s", endpoint, target);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    transfer->bodyCount = 0;
    transfer->tag = tag;
    transfer->start = nanoseconds(CLOCK_MONOTONIC);
    curl_multi_add_handle(multi, transfer->easy);
}

static CURL *makeEasy(struct transfer *transfer) {
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 2L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("NCLOUD_KMS_CA_FILE"));
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    return easy;
}

int main(int argumentCount, char **arguments) {
    if (argumentCount != 9) return 64;
    long window = atol(arguments[1]), warm = atol(arguments[5]), keys = atol(arguments[6]), count = atol(arguments[4]);
    double seconds = atof(arguments[3]);
    const char *expected[] = {arguments[7], arguments[8]};
    endpoint = getenv("NCLOUD_KMS_ENDPOINT");
    accessKey = getenv("NCLOUD_ACCESS_KEY_ID");
    const char *secret = getenv("NCLOUD_SECRET_ACCESS_KEY");
    if (!endpoint || !accessKey || !secret) return 64;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", "SHA256", 0), OSSL_PARAM_construct_end()};
    if (!EVP_MAC_init(mac, (const unsigned char *)secret, strlen(secret), parameters)) return 1;
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, atol(arguments[2]));
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, atol(arguments[2]));

    struct transfer *transfers = calloc((size_t)window, sizeof *transfers);
    long sent = 0, answered = 0, wrong = 0, failed = 0, timed = 0;
    int isTimed = warm == 0;
    uint64_t beginning = nanoseconds(CLOCK_MONOTONIC), end = beginning, cpu = 0;
    struct latencies latencies = {0};
    for (long i = 0; i < window && (count == 0 || i < warm + count); i++) {
        transfers[i].easy = makeEasy(&transfers[i]);
        begin(multi, &transfers[i], sent++ % keys);
    }
    while (answered < sent) {
        int running, remaining, hasBegun = 0;
        curl_multi_perform(multi, &running);
        CURLMsg *result;
        while ((result = curl_multi_info_read(multi, &remaining))) {
            struct transfer *transfer;
            long status = 0;
            CURL *easy = result->easy_handle;
            CURLcode code = result->data.result;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            curl_multi_remove_handle(multi, easy);
            const char *key = expected[transfer->tag % 2];
            if (code || status != 200) failed++;
            else if (!memmem(transfer->body, transfer->bodyCount, key, strlen(key))) wrong++;
            end = nanoseconds(CLOCK_MONOTONIC);
            if (isTimed && transfer->start >= beginning) { addLatency(&latencies, end - transfer->start); timed++; }
            answered++;
            if (!isTimed && answered >= warm) {
                isTimed = 1;
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
        .answers = timed, .warm = answered - timed, .wrong = wrong, .failed = failed, .nanoseconds = end - beginning, .cpu = cpuEnd - cpu,
        .rss = peakKibibytes(getpid()), .switches = contextSwitches(getpid())}, &latencies);
    return 0;
}
