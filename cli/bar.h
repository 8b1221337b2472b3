/*
 * bar.h - how far a long piece of work is: one line, redrawn at most ten times a second.
 *
 * Pure: it is told the time and gives back text, so that tests need no terminal.
 */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "gnrrun/buf.h"

#define GN_BAR_AFTER_MS 300 /* short work shows no bar */
#define GN_BAR_EVERY_MS 100

struct gn_bar {
    char what[128]; /* "": no work is going on */
    uint64_t done, total;
    int64_t start_ms, drawn_ms;
    uint64_t start_done; /* what was there already when it began: not our speed */
    int64_t mark_ms;     /* the speed is that of the last few seconds */
    uint64_t mark_done;
    double rate; /* bytes a second; 0: not known yet */
};

/* Note how far it is; true when it is time to draw. */
bool gn_bar_update(struct gn_bar *b, const char *what, uint64_t done, uint64_t total,
                   int64_t now_ms);

/* The line, less than columns wide; added behind what is in out. */
void gn_bar_line(const struct gn_bar *b, int columns, struct gn_buf *out);

#endif
