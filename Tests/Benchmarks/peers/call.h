// One signed call to the KMS on libcurl's multi interface, for the peers in C. Endpoint, CA file and credentials come
// from the environment, under the names that ncloud-kms-rpc has for them.
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct call {
    CURL *easy;  // its CURLOPT_PRIVATE is the call
    struct curl_slist *headers;
    size_t bodyCount;
    char body[4096];
};

static const char *endpoint, *accessKey;
static EVP_MAC_CTX *mac;

/// 0, or the exit status of a program that can't begin.
static int prepareCalls(void) {
    endpoint = getenv("NCLOUD_KMS_ENDPOINT");
    accessKey = getenv("NCLOUD_ACCESS_KEY_ID");
    const char *secret = getenv("NCLOUD_SECRET_ACCESS_KEY");
    if (!endpoint || !accessKey || !secret) return 64;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", "SHA256", 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_init(mac, (const unsigned char *)secret, strlen(secret), parameters) ? 0 : 1;
}

static CURLM *makeMulti(long connections) {
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
    return multi;
}

static size_t receive(char *bytes, size_t size, size_t count, void *user) {
    struct call *call = user;
    count *= size;
    if (call->bodyCount + count > sizeof call->body) return 0;
    memcpy(call->body + call->bodyCount, bytes, count);
    call->bodyCount += count;
    return count;
}

static void prepareCall(struct call *call) {
    CURL *easy = call->easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 2L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("NCLOUD_KMS_CA_FILE"));
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void beginCall(CURLM *multi, struct call *call, const char *tag) {
    char target[128], url[256], message[256], header[256];
    unsigned char digest[32], signature[45];
    size_t length;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long milliseconds = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    snprintf(target, sizeof target, "/kms/v1/keys/%s/get-pub-key", tag);
    int count = snprintf(message, sizeof message, "POST %s\n%lld\n%s", target, milliseconds, accessKey);
    EVP_MAC_init(mac, NULL, 0, NULL);
    EVP_MAC_update(mac, (unsigned char *)message, (size_t)count);
    EVP_MAC_final(mac, digest, &length, sizeof digest);
    EVP_EncodeBlock(signature, digest, 32);

    curl_slist_free_all(call->headers);
    call->headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(header, sizeof header, "x-ncp-apigw-timestamp: %lld", milliseconds);
    curl_slist_append(call->headers, header);
    snprintf(header, sizeof header, "x-ncp-iam-access-key: %s", accessKey);
    curl_slist_append(call->headers, header);
    snprintf(header, sizeof header, "x-ncp-apigw-signature-v2: %s", signature);
    curl_slist_append(call->headers, header);
    snprintf(url, sizeof url, "%s%s", endpoint, target);
    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    call->bodyCount = 0;
    curl_multi_add_handle(multi, call->easy);
}

/// The next call that has ended, or NULL. `*isAnswered`: with status 200.
static struct call *endedCall(CURLM *multi, int *isAnswered) {
    int remaining;
    long status = 0;
    struct call *call;
    CURLMsg *result = curl_multi_info_read(multi, &remaining);
    if (!result) return NULL;
    CURLcode code = result->data.result;
    curl_easy_getinfo(result->easy_handle, CURLINFO_PRIVATE, (char **)&call);
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi, call->easy);
    *isAnswered = !code && status == 200;
    return call;
}
