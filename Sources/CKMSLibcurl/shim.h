// libcurl for Swift: typed wrappers for its variadic calls, one for each C type of argument.
// The names in parentheses are the functions themselves: without them curl/typecheck-gcc.h puts macros in their place.
#pragma once
#include <curl/curl.h>

/// The newest form of `curl_version_info`'s answer that this header knows: a macro that does not import.
static const CURLversion clibcurl_version_now = CURLVERSION_NOW;

static inline CURLcode clibcurl_easy_set_long(CURL *handle, CURLoption option, long value) {
    return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode clibcurl_easy_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return (curl_easy_setopt)(handle, option, value);
}

/// libcurl copies the text, save for `CURLOPT_POSTFIELDS`.
static inline CURLcode clibcurl_easy_set_text(CURL *handle, CURLoption option, const char *value) {
    return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode clibcurl_easy_set_pointer(CURL *handle, CURLoption option, void *value) {
    return (curl_easy_setopt)(handle, option, value);
}

/// libcurl reads the list until the transfer ends, and neither copies nor frees it.
static inline CURLcode clibcurl_easy_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return (curl_easy_setopt)(handle, option, value);
}

/// For `CURLOPT_WRITEFUNCTION` and `CURLOPT_HEADERFUNCTION`, which have the same type.
static inline CURLcode clibcurl_easy_set_write_callback(CURL *handle, CURLoption option, curl_write_callback value) {
    return (curl_easy_setopt)(handle, option, value);
}

/// libcurl copies the bytes if the blob says so. Null takes back what was set.
static inline CURLcode clibcurl_easy_set_blob(CURL *handle, CURLoption option, struct curl_blob *value) {
    return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode clibcurl_easy_set_ssl_ctx_callback(CURL *handle, curl_ssl_ctx_callback value) {
    return (curl_easy_setopt)(handle, CURLOPT_SSL_CTX_FUNCTION, value);
}

static inline CURLcode clibcurl_easy_set_prereq_callback(CURL *handle, curl_prereq_callback value) {
    return (curl_easy_setopt)(handle, CURLOPT_PREREQFUNCTION, value);
}

static inline CURLcode clibcurl_easy_set_progress_callback(CURL *handle, curl_xferinfo_callback value) {
    return (curl_easy_setopt)(handle, CURLOPT_XFERINFOFUNCTION, value);
}

static inline CURLcode clibcurl_easy_set_sockopt_callback(CURL *handle, curl_sockopt_callback value) {
    return (curl_easy_setopt)(handle, CURLOPT_SOCKOPTFUNCTION, value);
}

static inline CURLcode clibcurl_easy_set_closesocket_callback(CURL *handle, curl_closesocket_callback value) {
    return (curl_easy_setopt)(handle, CURLOPT_CLOSESOCKETFUNCTION, value);
}

/// The `SSL *` of the connection that the transfer has now, or NULL: only libcurl may read from it or write to it.
static inline void *clibcurl_easy_get_ssl(CURL *handle) {
    struct curl_tlssessioninfo *info = NULL;
    CURLcode code = (curl_easy_getinfo)(handle, CURLINFO_TLS_SSL_PTR, &info);
    return code == CURLE_OK && info && info->backend == CURLSSLBACKEND_OPENSSL ? info->internals : NULL;
}

static inline CURLcode clibcurl_easy_get_long(CURL *handle, CURLINFO info, long *value) {
    return (curl_easy_getinfo)(handle, info, value);
}

static inline CURLcode clibcurl_easy_get_pointer(CURL *handle, CURLINFO info, void **value) {
    return (curl_easy_getinfo)(handle, info, value);
}

static inline CURLcode clibcurl_easy_get_socket(CURL *handle, CURLINFO info, curl_socket_t *value) {
    return (curl_easy_getinfo)(handle, info, value);
}

static inline CURLcode clibcurl_easy_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return (curl_easy_getinfo)(handle, info, value);
}

static inline CURLMcode clibcurl_multi_set_long(CURLM *handle, CURLMoption option, long value) {
    return (curl_multi_setopt)(handle, option, value);
}

static inline CURLMcode clibcurl_multi_set_pointer(CURLM *handle, CURLMoption option, void *value) {
    return (curl_multi_setopt)(handle, option, value);
}

static inline CURLMcode clibcurl_multi_set_socket_callback(CURLM *handle, curl_socket_callback value) {
    return (curl_multi_setopt)(handle, CURLMOPT_SOCKETFUNCTION, value);
}

static inline CURLMcode clibcurl_multi_set_timer_callback(CURLM *handle, curl_multi_timer_callback value) {
    return (curl_multi_setopt)(handle, CURLMOPT_TIMERFUNCTION, value);
}
