// libcurl for Swift: typed wrappers for its variadic calls, one for each C type of argument.
#pragma once
#include <curl/curl.h>
