// GNU libmicrohttpd for Swift: the constants that do not import (enums used as flags).
#pragma once
#include <microhttpd.h>
