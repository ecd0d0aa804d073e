// Writes what it reads: what two pipes and a wake-up cost.
#include <unistd.h>

int main(void) {
    static char bytes[1 << 16];
    ssize_t count;
    while ((count = read(0, bytes, sizeof bytes)) > 0)
        for (ssize_t start = 0, written; start < count; start += written)
            if ((written = write(1, bytes + start, (size_t)(count - start))) < 0) return 1;
    return 0;
}
