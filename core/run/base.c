/*
 * base.c - what we noted of each target's copy of a project: only that lets a ship be small.
 *
 * Two notes: what certainly was there, and, while a ship is on its way, what will be there if it
 * arrives.  A line that breaks before the answer leaves both, and the far side tells which is
 * true.  They are only notes: if they cannot be kept, or are wrong, the next ship is larger.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "run_private.h"

static void short_hash(const char *text, char hex[17])
{
    uint8_t hash[GN_HASH_LEN];

    gn_hash_data(text, strlen(text), hash);
    gn_hex(hash, 8, hex);
}

/* Name of the project's folder of snapshots over there: the same on every invocation. */
char *gn_base_key(const struct gn_project *project)
{
    char hex[17];

    short_hash(project->root, hex);
    return gn_printf("%.60s-%s", project->name, hex);
}

/* "state_dir/ship/KEY-TARGET" and what comes behind it. */
static char *note_path(const struct gn_road *road, const char *key, const char *ending)
{
    char *id = gn_printf("%s\n%s\n%s", road->target.name,
                         road->target.host ? road->target.host : "", gn_road_root(road));
    char hex[17], *path;

    short_hash(id, hex);
    path = gn_printf("%s/ship/%s-%s%s", road->e->ctx->state_dir, key, hex, ending);
    free(id);
    return path;
}

/* Most often nothing has changed: then its id is all that is read of it. */
static const struct gn_manifest *read_note(const struct gn_road *road, const char *key,
                                           const char *ending, struct gn_manifest **own)
{
    char *path = note_path(road, key, ending), id[GN_HASH_HEX];
    struct gn_err ignored = GN_ERR_INIT;
    bool same =
        road->tree && !gn_manifest_read_id(path, id, &ignored) && strcmp(id, road->tree->id) == 0;

    if (!same && gn_manifest_read(path, own, &ignored))
        *own = NULL;
    free(path);
    return same ? road->tree : *own;
}

void gn_base_load(const struct gn_road *road, const char *key, struct gn_base_notes *out)
{
    *out = (struct gn_base_notes){.zstd = gn_base_line_note(road, 'z')};
    out->sure = read_note(road, key, "", &out->read[0]);
    out->intended = read_note(road, key, ".next", &out->read[1]);
}

void gn_base_notes_clear(struct gn_base_notes *n)
{
    gn_manifest_free(n->read[0]);
    gn_manifest_free(n->read[1]);
    *n = (struct gn_base_notes){0};
}

static bool is_noted(const struct gn_manifest *note, const struct gn_manifest *tree)
{
    return note && strcmp(note->id, tree->id) == 0;
}

void gn_base_intend(const struct gn_road *road, const char *key, const struct gn_base_notes *notes,
                    const struct gn_manifest *tree)
{
    char *path, *dir;
    struct gn_err why = GN_ERR_INIT;

    if (is_noted(notes->sure, tree) || is_noted(notes->intended, tree))
        return;
    path = note_path(road, key, ".next");
    dir = gn_printf("%s/ship", road->e->ctx->state_dir);
    if (gn_fs_mkdirs(dir, 0700, &why) || gn_manifest_write(tree, path, &why))
        gn_event_text(road->e->ctx, GN_EV_DEBUG, "%s", why.msg);
    free(dir);
    free(path);
}

void gn_base_settle(const struct gn_road *road, const char *key, const struct gn_base_notes *notes,
                    const struct gn_manifest *tree)
{
    char *next = note_path(road, key, ".next"), *path = note_path(road, key, "");

    if (!is_noted(notes->sure, tree))
        (void)rename(next, path);
    else if (notes->intended)
        (void)remove(next);
    free(next);
    free(path);
}

static void keep_note(const struct gn_road *road, const char *key, const char *text, size_t n)
{
    char *path = note_path(road, key, ""), *dir = gn_printf("%s/ship", road->e->ctx->state_dir);
    struct gn_err why = GN_ERR_INIT;

    if (gn_fs_mkdirs(dir, 0700, &why) || gn_fs_replace(path, text, n, 0600, &why))
        gn_event_text(road->e->ctx, GN_EV_DEBUG, "%s", why.msg);
    free(dir);
    free(path);
}

char *gn_base_queue(const struct gn_road *road)
{
    struct gn_buf b = GN_BUF_INIT(16);
    struct gn_err ignored = GN_ERR_INIT;
    char *path = note_path(road, "queue", "");
    bool known = !gn_fs_read(path, &b, &ignored) && b.len;

    free(path);
    if (known && road->e->scheduler && road->e->scheduler(b.ptr))
        return gn_buf_detach(&b);
    gn_buf_clear(&b);
    return NULL;
}

void gn_base_note_queue(const struct gn_road *road, const char *name)
{
    keep_note(road, "queue", name, strlen(name));
}

/* --- the line itself: a letter for each thing that is known of it --------------------------- */

bool gn_base_line_note(const struct gn_road *road, char letter)
{
    struct gn_buf b = GN_BUF_INIT(64);
    struct gn_err ignored = GN_ERR_INIT;
    char *path = note_path(road, "line", "");
    bool known = !gn_fs_read(path, &b, &ignored) && b.len && memchr(b.ptr, letter, b.len);

    gn_buf_clear(&b);
    free(path);
    return known;
}

void gn_base_note_line(const struct gn_road *road, bool zstd, bool plain)
{
    bool in = road->line->takes_inline == GN_YES;
    char text[4] = "";
    size_t n = 0;

    if (gn_base_line_note(road, 'z') == zstd && gn_base_line_note(road, 'i') == in &&
        gn_base_line_note(road, 'q') == plain)
        return;
    if (zstd)
        text[n++] = 'z';
    if (in)
        text[n++] = 'i';
    if (plain)
        text[n++] = 'q';
    keep_note(road, "line", text, n);
}
