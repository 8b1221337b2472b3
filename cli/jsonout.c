#include "cli/ui.h"

#include <string.h>

static bool is_utf8(const unsigned char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = s[i] < 0x80                    ? 1
                   : s[i] >= 0xc2 && s[i] <= 0xdf ? 2
                   : (s[i] & 0xf0) == 0xe0        ? 3
                   : s[i] >= 0xf0 && s[i] <= 0xf4 ? 4
                                                  : 0;

        if (!n || n > len - i)
            return false;
        for (size_t k = 1; k < n; k++) {
            if ((s[i + k] & 0xc0) != 0x80)
                return false;
        }
        if ((s[i] == 0xe0 && s[i + 1] < 0xa0) || (s[i] == 0xed && s[i + 1] > 0x9f) ||
            (s[i] == 0xf0 && s[i + 1] < 0x90) || (s[i] == 0xf4 && s[i + 1] > 0x8f))
            return false;
        i += n;
    }
    return true;
}

static void add_base64(struct gn_buf *b, const unsigned char *s, size_t len)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        unsigned v = (unsigned)s[i] << 16 | (n > 1 ? (unsigned)s[i + 1] << 8 : 0) |
                     (n > 2 ? (unsigned)s[i + 2] : 0);

        gn_buf_addc(b, digit[v >> 18]);
        gn_buf_addc(b, digit[v >> 12 & 63]);
        gn_buf_addc(b, n > 1 ? digit[v >> 6 & 63] : '=');
        gn_buf_addc(b, n > 2 ? digit[v & 63] : '=');
    }
}

/* The log is exact also here: text where it is text, base64 where it is not. */
static void set_log(struct gn_json *j, const struct gn_event *ev)
{
    const unsigned char *s = (const unsigned char *)ev->data;

    gn_json_set_int(j, "offset", (int64_t)ev->offset);
    gn_json_set_int(j, "bytes", (int64_t)ev->len);
    if (is_utf8(s, ev->len) && !memchr(s, 0, ev->len)) {
        gn_json_set(j, "data", gn_json_bytes(ev->data, ev->len));
    } else {
        struct gn_buf b = GN_BUF_INIT(ev->len * 2 + 8);

        add_base64(&b, s, ev->len);
        gn_json_set_str(j, "base64", b.ptr);
        gn_buf_clear(&b);
    }
}

struct gn_json *gn_json_event(const struct gn_event *ev, int64_t time_s)
{
    static const char *const name[] = {
        [GN_EV_STEP] = "step",   [GN_EV_PROGRESS] = "progress", [GN_EV_LOG] = "log",
        [GN_EV_NOTE] = "note",   [GN_EV_WARN] = "warning",      [GN_EV_STATE] = "state",
        [GN_EV_DEBUG] = "debug",
    };
    struct gn_json *j = gn_json_object();

    gn_json_set_str(j, "event", name[ev->kind]);
    gn_json_set_int(j, "time", time_s);
    if (ev->run)
        gn_json_set_str(j, "run", ev->run);
    if (ev->kind == GN_EV_LOG) {
        set_log(j, ev);
        return j;
    }
    gn_json_set_str(j, ev->kind == GN_EV_STATE ? "state" : "text", ev->text);
    if (ev->kind == GN_EV_PROGRESS) {
        gn_json_set_int(j, "done", (int64_t)ev->done);
        if (ev->total)
            gn_json_set_int(j, "total", (int64_t)ev->total);
        else
            gn_json_set_null(j, "total");
    }
    return j;
}
