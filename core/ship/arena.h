/* arena.h - strings and bytes that live and die together. */
#ifndef GN_SHIP_ARENA_H
#define GN_SHIP_ARENA_H

#include <stddef.h>

struct gn_arena;

struct gn_arena *gn_arena_new(void);
void gn_arena_free(struct gn_arena *a);

/* A terminated copy of n bytes, valid until the arena is freed. */
const char *gn_arena_add(struct gn_arena *a, const char *s, size_t n);

/* Room for n bytes, not initialised, as long. */
void *gn_arena_room(struct gn_arena *a, size_t n);

/* The same for n structs of size bytes. */
void *gn_arena_items(struct gn_arena *a, size_t n, size_t size);

/* What is in from lives as long as what is in a; from is gone.  NULL is nothing. */
void gn_arena_merge(struct gn_arena *a, struct gn_arena *from);

#endif
