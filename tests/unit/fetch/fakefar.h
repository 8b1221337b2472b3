/*
 * fakefar.h - a far side from memory: a transport whose programs are "list", "get", "cat".
 *
 * It speaks core/remote/sh/PROTOCOL.md as the real one does, unless told to lie.
 */
#ifndef GN_TEST_FAKEFAR_H
#define GN_TEST_FAKEFAR_H

#include "gnrrun/buf.h"
#include "gnrrun/mem.h"
#include "gnrrun/store.h"
#include "gnrrun/transport.h"

/* One thing over there, and the lies that are told about it. */
struct fake_file {
    const char *path;
    bool sparse;               /* zeros, but for text after 1 MiB */
    const char *text;          /* content, or target of a link */
    size_t size;               /* 0: strlen(text); else text is repeated */
    char type;                 /* f d l o; 0: f */
    unsigned mode;             /* 0: 644 */
    const char *mtime, *ctime; /* NULL: "1500.5", "2500.5"; the marker is 2000 */
    bool hidden;               /* not listed, but in the tar */
    const char *tar_name;      /* other name in the tar */
    char tar_type;             /* other type flag in the tar */
    const char *tar_text;      /* other content in the tar */
    uint64_t tar_size;         /* other size in its header, content as it is */
    uint64_t list_size;        /* other size in the list */
    bool twice;                /* two of them in the tar */
    const char *wrong_once;    /* content in the first tar only */
};

struct fake_far {
    struct gn_transport base;
    struct fake_file *file;
    size_t n;
    const char *setup;        /* end of the setup in the list, or NULL */
    bool whole;               /* times are said to be whole seconds */
    bool cksum;               /* knows no SHA-256 */
    bool names;               /* its `get` takes names as they are */
    int get_status;           /* how a `get` with names ends */
    bool restless;            /* whoever asks `cat` is told that the file changed */
    int64_t cut_after;        /* bytes until the line is cut; -1: never */
    bool cut_softly;          /* as an end without a status, not as an error */
    const struct gn_buf *tar; /* all that a `get` sends instead of its tar */
    bool tar_zstd;
    bool cat_more, cat_less;          /* than was asked for */
    unsigned gets, cats, lists, sums; /* requests so far */
    int64_t cat_bytes, cat_offset;    /* of the last one */
    uint64_t sent;
};

void fake_far_init(struct fake_far *f, struct fake_file *file, size_t n);

/* A tar entry as the far side would make it. */
void fake_tar(struct gn_buf *out, const char *name, char type, unsigned mode, uint64_t size,
              const char *link, const void *data, size_t len);
void fake_tar_end(struct gn_buf *out);

/* The store: gn_store_put_fetched() and its like, kept in an array. */
struct gn_store {
    struct gn_fetched_file *v;
    size_t n, cap;
    bool open;
};
void fake_store_clear(struct gn_store *s);

#endif
