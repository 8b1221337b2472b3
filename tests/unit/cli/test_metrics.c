/* test_metrics.c - numbers that training programs print, and text that only looks like them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/metrics.h"
#include "gnrrun/buf.h"

static void numbers_are_found(void **state)
{
    static const char *const cases[][2] = {
        {"epoch 3 loss=0.25 acc=0.9\n", "loss=0.25 acc=0.9 "},
        {"epoch 3: loss: 1e-3, acc: 90\nsaved model\n", "loss=1e-3 acc=90 "},
        {"10/10 [=====] - 1s 9ms/step - loss: 0.31 - accuracy: 0.88 - val_loss: 0.4\n",
         "loss=0.31 accuracy=0.88 val_loss=0.4 "},
        {"{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 1.0}\n",
         "loss=0.5 learning_rate=5e-05 epoch=1.0 "},
        {"{\"eval/acc\": -0.5}", "eval/acc=-0.5 "},
        {"a=1\r b=2\r c=3\r", "c=3 "},
        {"loss=1\nloss=2\n", "loss=2 "},
        {"x=1 x=2", "x=2 "},
        {"a=1 b=2 c=3 d=4 e=5 f=6 g=7", "a=1 b=2 c=3 d=4 e=5 f=6 "},
        {"", ""},
        {"nothing here\n", ""},
        {"12:30:05 done 2026-11-26\n", ""},
        {"path=/a/b v=1.2.x url=http://x:80/a\n", ""},
        {"loss=nan acc=inf, x: -inf nanny=nano", "loss=nan acc=inf x=-inf "},
        {"=5 :6 1=2", ""},
        {"a_name_that_is_longer_than_any_column=1", ""},
        {"x=1234567890123456789012345678901234567890", ""},
        {"acc = 0.5.", "acc=0.5 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gn_metric m[GN_METRICS_MAX];
        struct gn_buf got = GN_BUF_INIT(1000);
        size_t n = gn_metrics_last(cases[i][0], strlen(cases[i][0]), m);

        for (size_t k = 0; k < n; k++)
            gn_buf_addf(&got, "%s=%s ", m[k].name, m[k].value);
        assert_string_equal(got.ptr, cases[i][1]);
        gn_buf_clear(&got);
    }
}

/* Any bytes: nothing is read outside of them. */
static void anything_may_stand_in_a_log(void **state)
{
    struct gn_metric m[GN_METRICS_MAX];
    uint32_t x = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        static const char set[] = "a=:1. '\n-e\0\xff";
        char text[40], *exact;
        size_t n = round % sizeof text;

        for (size_t i = 0; i < n; i++) {
            x = x * 1103515245 + 12345;
            text[i] = set[(x >> 16) % (sizeof set - 1)];
        }
        exact = test_malloc(n + 1);
        memcpy(exact, text, n);
        assert_true(gn_metrics_last(exact, n, m) <= GN_METRICS_MAX);
        test_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_found),
        cmocka_unit_test(anything_may_stand_in_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
