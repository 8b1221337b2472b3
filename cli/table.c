#include "cli/ui.h"

#include <string.h>

void gn_table_row(struct gn_table *t, const char *const *cells)
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);

    for (size_t i = 0; i < t->n; i++) {
        const char *s = cells[i] && *cells[i] ? cells[i] : "-";

        gn_buf_reset(&b);
        gn_buf_addsafe(&b, s, strlen(s), (size_t)4 << 10);
        gn_strs_add(&t->cells, b.ptr);
    }
    gn_buf_clear(&b);
}

static void pad(struct gn_buf *b, size_t n)
{
    while (n--)
        gn_buf_addc(b, ' ');
}

static void print_row(struct gn_ui *ui, const struct gn_table *t, const char *const *cells,
                      const size_t *width)
{
    struct gn_buf line = GN_BUF_INIT((size_t)1 << 20);
    size_t len;

    for (size_t i = 0; i < t->n; i++) {
        size_t space = width[i] - gn_width(cells[i]);
        bool right = t->right & (1u << i);

        if (i)
            gn_buf_adds(&line, "  ");
        if (right)
            pad(&line, space);
        gn_buf_adds(&line, cells[i]);
        if (!right && i + 1 < t->n)
            pad(&line, space);
    }
    len = gn_ui_out_is_tty(ui) ? gn_width_cut(line.ptr, (size_t)gn_ui_columns(ui)) : line.len;
    gn_ui_out(ui, line.ptr, len);
    gn_ui_out(ui, "\n", 1);
    gn_buf_clear(&line);
}

void gn_table_print(struct gn_ui *ui, struct gn_table *t)
{
    size_t width[GN_TABLE_COLUMNS] = {0};

    for (size_t i = 0; i < t->n; i++)
        width[i] = gn_width(t->head[i]);
    for (size_t i = 0; i < t->cells.n; i++) {
        size_t w = gn_width(t->cells.v[i]);

        if (w > width[i % t->n])
            width[i % t->n] = w;
    }
    print_row(ui, t, t->head, width);
    for (size_t i = 0; i + t->n <= t->cells.n; i += t->n)
        print_row(ui, t, (const char *const *)t->cells.v + i, width);
}

void gn_table_clear(struct gn_table *t)
{
    gn_strs_clear(&t->cells);
}
