#include "cli/ui.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"

#define CELL_MAX ((size_t)4 << 10)

/* Nearly all cells are short and of plain ASCII, and there may be a hundred thousand. */
static bool is_plain(const char *s, size_t *len)
{
    size_t n = 0;

    while (s[n] >= 0x20 && s[n] < 0x7f && n < CELL_MAX)
        n++;
    *len = n;
    return s[n] == '\0';
}

static struct gn_cell make_cell(struct gn_table *t, const char *s)
{
    struct gn_cell c;
    size_t len;

    if (!t->text.max)
        t->text = (struct gn_buf)GN_BUF_INIT((size_t)1 << 30);
    c.at = (uint32_t)t->text.len;
    if (is_plain(s, &len)) {
        gn_buf_add(&t->text, s, len);
        c.len = c.width = (uint32_t)(t->text.len - c.at);
        return c;
    }
    gn_buf_addsafe(&t->text, s, strlen(s), CELL_MAX);
    c.len = (uint32_t)(t->text.len - c.at);
    c.width = (uint32_t)gn_width(t->text.ptr + c.at);
    return c;
}

static void add_cell(struct gn_table *t, size_t column, const char *s)
{
    struct gn_cell c = make_cell(t, s && *s ? s : "-");

    if (t->cells == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 256;
        t->cell = gn_realloc(t->cell, t->cap, sizeof *t->cell);
    }
    t->cell[t->cells++] = c;
    if (c.width > t->width[column])
        t->width[column] = c.width;
}

void gn_table_row(struct gn_table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->n; i++)
        add_cell(t, i, cells[i]);
}

/* One line, with `line` for room. */
static void print_row(struct gn_ui *ui, const struct gn_table *t, const struct gn_cell *cell,
                      struct gn_buf *line)
{
    size_t need = 0, len;
    char *to;

    for (size_t i = 0; i < t->n; i++)
        need += 2 + cell[i].len + t->width[i] - cell[i].width;
    gn_buf_reset(line);
    to = gn_buf_room(line, need);
    if (!to)
        return;
    memset(to, ' ', need);
    for (size_t i = 0; i < t->n; i++) {
        size_t space = t->width[i] - cell[i].width;
        size_t before = t->right & (1u << i) ? space : 0;

        memcpy(to + before, t->text.ptr + cell[i].at, cell[i].len);
        to += before + cell[i].len;
        if (i + 1 < t->n)
            to += space - before + 2;
    }
    gn_buf_commit(line, (size_t)(to - line->ptr));
    len = line->len;
    if (gn_ui_out_is_tty(ui))
        len = gn_width_cut(line->ptr, (size_t)gn_ui_columns(ui));
    line->ptr[len] = '\n'; /* in the place of its NUL, or of what is cut off */
    gn_ui_out(ui, line->ptr, len + 1);
}

void gn_table_print(struct gn_ui *ui, struct gn_table *t)
{
    struct gn_buf line = GN_BUF_INIT((size_t)16 << 20);
    struct gn_cell head[GN_TABLE_COLUMNS];

    for (size_t i = 0; i < t->n; i++) {
        head[i] = make_cell(t, t->head[i]);
        if (head[i].width > t->width[i])
            t->width[i] = head[i].width;
    }
    print_row(ui, t, head, &line);
    for (size_t i = 0; i + t->n <= t->cells; i += t->n)
        print_row(ui, t, t->cell + i, &line);
    gn_buf_clear(&line);
}

void gn_table_clear(struct gn_table *t)
{
    gn_buf_clear(&t->text);
    free(t->cell);
    t->cell = NULL;
    t->cells = t->cap = 0;
}
