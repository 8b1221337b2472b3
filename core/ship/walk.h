/*
 * walk.h - the threads of a walk and the folders they share.
 *
 * First every folder is listed and its files are looked at, in whatever order; then, when it is known
 * how much is in each, every folder puts its entries where they belong in the sorted whole.
 */
#ifndef GN_SHIP_WALK_H
#define GN_SHIP_WALK_H

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "guard.h"
#include "rules.h"
#include "scan.h"
#include "tree.h"

struct gn_folder;

/* What belongs to the tree in a folder.  There are as many as files, beside the entries: small. */
struct gn_seen {
    union {
        uint64_t size;         /* GN_FILE */
        struct gn_folder *sub; /* GN_DIR */
    };
    int64_t mtime_ns;
    uint64_t stamp;
    const char *path;     /* for ever; a link's target stands behind it */
    uint64_t blocks : 48; /* 2^57 bytes */
    uint64_t mode : 12;
    uint64_t kind : 2;  /* enum gn_kind */
    uint64_t later : 1; /* a file that nobody has looked at yet */
    uint64_t gone : 1;  /* since it was listed: somebody's temporary file */
};

struct gn_folder {
    struct gn_folder *above; /* NULL: the root */
    struct gn_folder *older; /* in the list of all; those above are older */
    const char *name;
    size_t path_len;        /* of its path below the root */
    struct gn_rules *rules; /* of the folder above, until it is entered */
    DIR *dir;               /* as long as somebody uses it */
    _Atomic unsigned users;
    bool kept;      /* dir is open until the last folder in it has been opened */
    bool left_out;  /* gone, or an environment: not even an entry itself */
    bool is_hidden; /* a name that begins with "." is on its path */
    dev_t dev;
    ino_t ino;
    int64_t mtime_ns;
    uint16_t mode;
    struct gn_seen *v; /* sorted by name */
    size_t n;
    _Atomic size_t next;  /* the first that nobody has looked at */
    _Atomic size_t total; /* entries in it and below */
    size_t first;         /* the place of the first of them */
};

struct gn_task {
    struct gn_folder *f;
    bool help; /* only look at files in it */
};

struct gn_name {
    uint64_t key; /* the first bytes in which names differ */
    uint32_t at;  /* in the text of all */
    uint16_t len;
    uint8_t type;
};

struct gn_crew;

/* One thread, and what it needs for one folder after the other. */
struct gn_walker {
    struct gn_crew *crew;
    struct gn_arena *arena, *strings; /* for the walk; for the manifest */
    struct gn_buf text;               /* names as they are listed, */
    struct gn_name *names, *spare;
    size_t n_names, cap_names, cap_spare;
    struct gn_seen *seen; /* what belongs to the tree of it */
    size_t n_seen, cap_seen;
    struct gn_folder **open;
    size_t n_open, cap_open; /* while placing: folders whose entries are still to come */
    char path[GN_PATH_LIMIT];
    struct gn_cache_reader cached;
    uint32_t *todo;
    size_t n_todo, cap_todo;
    uint64_t bytes, stored;
    size_t known;
    struct gn_secrets secrets;
    struct gn_guard *guard;
    pthread_t thread;
    bool started;
    int rc;
    struct gn_err err;
};

#define GN_WALKERS_MAX 8

struct gn_crew {
    struct gn_scan *scan;
    struct gn_walker *w;
    size_t n, started; /* threads there may be; that there are */
    int (*work)(struct gn_walker *w, struct gn_task t, struct gn_err *err);
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct gn_task *todo;
    size_t n_todo, cap_todo, busy, idle;
    bool stop;
    struct gn_folder *all; /* the newest */
    struct gn_strs odd;    /* sockets and the like, to be told of at the end */
    struct gn_folder *root;
    _Atomic size_t n_listed;
    _Atomic unsigned n_kept;
};

/* Hand out tasks: the folders of a list by ->older (which join the list of all), or n times t. */
void gn_crew_add_folders(struct gn_walker *w, struct gn_folder *list);
void gn_crew_add(struct gn_walker *w, struct gn_task t, size_t n);

/* The folder's path below the root in w->path; its length is f->path_len. */
void gn_folder_path(struct gn_walker *w, const struct gn_folder *f);
/* One user less: the last closes it. */
void gn_folder_release(struct gn_crew *c, struct gn_folder *f);

/* List a folder and look at what is in it (folder.c). */
GN_MUST int gn_folder_read(struct gn_walker *w, struct gn_task t, struct gn_err *err);
/* Make it hold only one file. */
void gn_folder_of_one(struct gn_walker *w, struct gn_folder *f, const char *name,
                      const struct stat *st);
/* Put its entries into the manifest (place.c). */
GN_MUST int gn_folder_place(struct gn_walker *w, struct gn_task t, struct gn_err *err);

/* Names in order (names.c); behind text are eight more bytes. */
void gn_names_sort(struct gn_name *v, struct gn_name *spare, size_t n, const char *text);

#endif
