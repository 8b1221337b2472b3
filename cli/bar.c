#include "cli/bar.h"

#include <stdio.h>
#include <string.h>

#include "cli/ui.h"

#define WINDOW_MS 1000

bool gn_bar_update(struct gn_bar *b, const char *what, uint64_t done, uint64_t total,
                   int64_t now_ms)
{
    if (!b->what[0] || strcmp(b->what, what) != 0 || done < b->done) {
        *b = (struct gn_bar){.start_ms = now_ms, .mark_ms = now_ms, .drawn_ms = -GN_BAR_EVERY_MS};
        snprintf(b->what, sizeof b->what, "%s", what[0] ? what : " ");
        b->what[gn_width_cut(b->what, 60)] = '\0';
        b->start_done = b->mark_done = done;
    }
    b->done = done;
    b->total = total;
    if (now_ms - b->mark_ms >= WINDOW_MS || (b->rate <= 0 && now_ms - b->mark_ms >= 250)) {
        double now = (double)(done - b->mark_done) * 1000.0 / (double)(now_ms - b->mark_ms);

        b->rate = b->rate > 0 ? 0.6 * b->rate + 0.4 * now : now;
        b->mark_ms = now_ms;
        b->mark_done = done;
    }
    if (now_ms - b->start_ms < GN_BAR_AFTER_MS || now_ms - b->drawn_ms < GN_BAR_EVERY_MS)
        return false;
    b->drawn_ms = now_ms;
    return true;
}

void gn_bar_line(const struct gn_bar *b, int columns, struct gn_buf *out)
{
    char done[32], total[32], rate[32], left[32];
    struct gn_buf tail = GN_BUF_INIT(512);
    size_t used, room = columns > 1 ? (size_t)columns - 1 : 1, width = 0, start = out->len;

    gn_fmt_bytes(b->done, done);
    if (b->total) {
        gn_buf_addf(&tail, " %3u%%", (unsigned)((double)b->done * 100.0 / (double)b->total));
        gn_buf_addf(&tail, "  %s of %s", done, gn_fmt_bytes(b->total, total));
    } else {
        gn_buf_addf(&tail, "  %s", done);
    }
    if (b->rate >= 1)
        gn_buf_addf(&tail, "  %s/s", gn_fmt_bytes((uint64_t)b->rate, rate));
    if (b->rate >= 1 && b->total > b->done) {
        double s = (double)(b->total - b->done) / b->rate;

        if (s < 100.0 * 3600)
            gn_buf_addf(&tail, "  %s left", gn_fmt_seconds((int64_t)(s + 0.999), left));
    }
    used = gn_width(b->what) + gn_width(tail.ptr);
    /* What is left of the line is the bar, if that is worth drawing. */
    if (b->total && used + 10 <= room)
        width = room - used - 4 < 30 ? room - used - 4 : 30;
    gn_buf_addf(out, "%s", b->what);
    if (width) {
        size_t full = (size_t)((double)width * (double)b->done / (double)b->total);

        gn_buf_adds(out, "  [");
        for (size_t i = 0; i < width; i++)
            gn_buf_addc(out, i < full ? '#' : '.');
        gn_buf_addc(out, ']');
    }
    gn_buf_add(out, tail.ptr, tail.len);
    /* what stands before the line, a \r, is no part of it */
    if (gn_width(out->ptr + start) > room) {
        out->len = start + gn_width_cut(out->ptr + start, room);
        out->ptr[out->len] = '\0';
    }
    gn_buf_clear(&tail);
}
