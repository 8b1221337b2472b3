/* must.h - an assert that holds in every build: helpers of tests have no error paths. */
#ifndef GN_TEST_MUST_H
#define GN_TEST_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
