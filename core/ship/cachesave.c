/* cachesave.c - a cache is written: the manifest's entries folder by folder, with little in memory. */
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "cachefile.h"
#include "content.h"
#include "gnrrun/fs.h"

/* A folder whose entries have begun and not ended. */
struct open_folder {
    const char *path; /* in an entry of it */
    size_t len;
    struct gn_buf entries;
    unsigned piece; /* the next */
};

struct saver {
    struct gn_draft *out;
    struct gn_buf ready; /* not written yet */
    uint64_t at;         /* behind what is ready */
    struct open_folder *stack;
    size_t depth, cap;
    struct gn_cache_piece *index;
    size_t n, index_cap;
    uint64_t entries;
};

static void flush(struct saver *s)
{
    gn_draft_add(s->out, s->ready.ptr, s->ready.len);
    gn_buf_reset(&s->ready);
}

static void put(struct saver *s, const void *data, size_t len)
{
    gn_buf_add(&s->ready, data, len);
    s->at += len;
    if (s->ready.len >= GN_CACHE_PIECE * 4)
        flush(s);
}

static void put16(struct gn_buf *b, size_t v)
{
    const uint8_t raw[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    gn_buf_add(b, raw, sizeof raw);
}

/* What is in f so far becomes a piece. */
static void end_piece(struct saver *s, struct open_folder *f)
{
    struct gn_buf piece = GN_BUF_INIT((size_t)GN_CACHE_PIECE_MAX);
    uint8_t sum[8] = {0};

    if (!f->entries.len)
        return;
    gn_buf_add(&piece, sum, sizeof sum);
    put16(&piece, f->len);
    gn_buf_add(&piece, f->path, f->len);
    gn_buf_add(&piece, f->entries.ptr, f->entries.len);
    gn_set64((uint8_t *)piece.ptr, gn_cache_sum(piece.ptr + 8, piece.len - 8, 0));
    GN_GROW(s->index, s->n, s->index_cap);
    s->index[s->n++] =
        (struct gn_cache_piece){gn_cache_sum(f->path, f->len, f->piece++), s->at, piece.len};
    put(s, piece.ptr, piece.len);
    gn_buf_clear(&piece);
    gn_buf_reset(&f->entries);
}

static void leave_folder(struct saver *s)
{
    struct open_folder *f = &s->stack[--s->depth];

    end_piece(s, f);
    gn_buf_clear(&f->entries);
}

/* All of a folder's paths are neighbours, so whatever is open and does not hold this one is over. */
static struct open_folder *enter_folder(struct saver *s, const char *path, size_t len)
{
    while (s->depth) {
        struct open_folder *f = &s->stack[s->depth - 1];

        if (f->len == len && !memcmp(f->path, path, len))
            return f;
        if (f->len < len && !memcmp(f->path, path, f->len) && (!f->len || path[f->len] == '/'))
            break;
        leave_folder(s);
    }
    GN_GROW(s->stack, s->depth, s->cap);
    s->stack[s->depth] = (struct open_folder){
        .path = path, .len = len, .entries = GN_BUF_INIT((size_t)GN_CACHE_PIECE_MAX)};
    return &s->stack[s->depth++];
}

static void add_entry(struct saver *s, const struct gn_entry *e)
{
    const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
    struct open_folder *f = enter_folder(s, e->path, slash ? (size_t)(slash - e->path) : 0);
    uint8_t raw[24 + GN_HASH_LEN];
    size_t name_len = strlen(name);

    raw[0] = e->kind;
    raw[1] = e->kind == GN_FILE ? (uint8_t)(e->clean | gn_entry_hashing(e) << 1) : 0;
    gn_buf_add(&f->entries, raw, 2);
    put16(&f->entries, e->mode);
    put16(&f->entries, name_len);
    if (e->kind == GN_FILE) {
        gn_set64(raw, e->size);
        gn_set64(raw + 8, (uint64_t)e->mtime_ns);
        gn_set64(raw + 16, e->stamp);
        memcpy(raw + 24, e->hash, GN_HASH_LEN);
        gn_buf_add(&f->entries, raw, sizeof raw);
    } else if (e->kind == GN_LINK) {
        put16(&f->entries, strlen(e->link));
        gn_buf_adds(&f->entries, e->link);
    }
    gn_buf_add(&f->entries, name, name_len);
    s->entries++;
    if (f->entries.len >= GN_CACHE_PIECE)
        end_piece(s, f);
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct gn_cache_piece *)a)->key;
    uint64_t y = ((const struct gn_cache_piece *)b)->key;

    return (x > y) - (x < y);
}

static void put_index(struct saver *s, const struct gn_manifest *m)
{
    uint8_t *raw = gn_realloc(NULL, s->n + 1, GN_CACHE_INDEX), end[GN_CACHE_END];
    uint64_t at = s->at;

    if (s->n)
        qsort(s->index, s->n, sizeof *s->index, by_key);
    for (size_t i = 0; i < s->n; i++) {
        gn_set64(raw + i * GN_CACHE_INDEX, s->index[i].key);
        gn_set64(raw + i * GN_CACHE_INDEX + 8, s->index[i].at);
        gn_set64(raw + i * GN_CACHE_INDEX + 16, s->index[i].len);
    }
    gn_set64(end + 8, gn_cache_sum(raw, s->n * GN_CACHE_INDEX, 0));
    gn_set64(end + 16, at);
    gn_set64(end + 24, s->n);
    gn_set64(end + 32, s->entries);
    gn_set64(end + 40, m->n);
    if (!gn_unhex(m->id, end + 48, GN_HASH_LEN))
        memset(end + 48, 0, GN_HASH_LEN);
    gn_set64(end, gn_cache_sum(end + 8, sizeof end - 8, 0));
    flush(s);
    gn_draft_add(s->out, raw, s->n * GN_CACHE_INDEX);
    gn_draft_add(s->out, end, sizeof end);
    free(raw);
}

bool gn_cache_save(const struct gn_manifest *m, const char *file)
{
    struct saver s = {.ready = GN_BUF_INIT((size_t)GN_CACHE_PIECE_MAX * 64)};
    struct gn_err err = GN_ERR_INIT;
    bool good;

    if (gn_draft_open(file, 0600, &s.out, &err))
        return false;
    put(&s, GN_CACHE_MAGIC, sizeof GN_CACHE_MAGIC - 1);
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].kind != GN_FILE || m->v[i].stamp)
            add_entry(&s, &m->v[i]);
    while (s.depth)
        leave_folder(&s);
    put_index(&s, m);
    good = !gn_buf_over(&s.ready);
    if (good)
        good = gn_draft_end(s.out, false, &err) == GN_OK;
    else
        gn_draft_drop(s.out);
    gn_buf_clear(&s.ready);
    free(s.index);
    free(s.stack);
    return good;
}
