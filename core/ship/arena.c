/* arena.c - blocks, each twice as large as the one before, in pages as large as the system has. */
#define _DEFAULT_SOURCE /* madvise() */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gnrrun/mem.h"

#define BLOCK_MIN ((size_t)64 << 10)
#define BLOCK_MAX ((size_t)4 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

struct block {
    struct block *next;
    size_t used, cap;
    _Alignas(8) char data[];
};

struct gn_arena {
    struct block *first;
};

struct gn_arena *gn_arena_new(void)
{
    return gn_new(struct gn_arena);
}

void gn_arena_free(struct gn_arena *a)
{
    struct block *b = a ? a->first : NULL;

    while (b) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    free(a);
}

/*
 * To touch a page for the first time costs more than to read a small file into it: 500 times fewer
 * of them when a block is made of huge ones.
 */
static struct block *new_block(size_t size)
{
    void *b = NULL;

    if (size < HUGE_PAGE || posix_memalign(&b, HUGE_PAGE, size) != 0)
        return gn_realloc(NULL, size, 1);
#ifdef MADV_HUGEPAGE
    (void)madvise(b, size, MADV_HUGEPAGE);
#endif
    return b;
}

void *gn_arena_room(struct gn_arena *a, size_t n)
{
    struct block *b = a->first;
    char *out;

    if (!b || b->cap - b->used < n) {
        size_t size = b ? 2 * (sizeof *b + b->cap) : BLOCK_MIN;

        if (n > SIZE_MAX / 4)
            abort();
        size = size < BLOCK_MAX ? size : BLOCK_MAX;
        size = n + sizeof *b < size ? size : n + sizeof *b;
        b = new_block(size);
        b->next = a->first;
        b->used = 0;
        b->cap = size - sizeof *b;
        a->first = b;
    }
    out = b->data + b->used;
    b->used += n;
    return out;
}

void *gn_arena_items(struct gn_arena *a, size_t n, size_t size)
{
    struct block *b = a->first;

    if (size && n > SIZE_MAX / size)
        abort();
    if (b) {
        size_t at = (b->used + 7) / 8 * 8;

        b->used = at < b->cap ? at : b->cap;
    }
    return gn_arena_room(a, n * size);
}

const char *gn_arena_add(struct gn_arena *a, const char *s, size_t n)
{
    char *out = gn_arena_room(a, n + 1);

    if (n)
        memcpy(out, s, n);
    out[n] = '\0';
    return out;
}

void gn_arena_merge(struct gn_arena *a, struct gn_arena *from)
{
    struct block **end = &a->first;

    if (!from)
        return;
    while (*end)
        end = &(*end)->next;
    *end = from->first;
    free(from);
}
