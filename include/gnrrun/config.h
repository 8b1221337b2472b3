/*
 * config.h - what gnrrun.yaml and config.yaml say, read strictly.
 *
 * An unknown key, a wrong type, a key twice: GN_E_CONFIG with "file:line:column",
 * and the nearest valid key as the hint.  Everything here is a copy owned by the
 * struct it stands in.
 */
#ifndef GNRRUN_CONFIG_H
#define GNRRUN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/ctx.h"
#include "gnrrun/mem.h"

enum gn_target_type {
    GN_TARGET_LOCAL,
    GN_TARGET_SSH,
    GN_TARGET_CLOUD, /* machines are made for a run, and ended: provider.h; see type_name */
    GN_TARGET_LATER, /* a type that the file may name but this version cannot use; see type_name */
};

/* How long a connection is kept (keep.h): where that is said without a time, a working day. */
#define GN_KEEP_S      ((int64_t)12 * 3600)
#define GN_KEEP_MOST_S ((int64_t)30 * 86400)

/* A key that only the provider of its type knows. */
struct gn_setting {
    char *key, *value;
    int line, col; /* of the key, in the file that `where` of the target names */
};

/* KEY=VALUE for the program; a NULL value is taken from the user's environment and kept secret. */
struct gn_env_var {
    char *name;
    char *value;
};

/* A named place that can run things. */
struct gn_target {
    char *name;
    enum gn_target_type type;
    char *type_name;
    char *where;          /* "config.yaml:3:5", "~/.ssh/config", "the command line": for messages */
    char *host;           /* as the user wrote it: an alias, a name, an address; NULL: a pool, */
    struct gn_strs hosts; /* of these; else empty */
    char *user;           /* NULL: what ssh would take */
    int port;             /* 0: what ssh would take */
    char *jump;           /* "gate" or "a,b"; NULL: what ssh would take */
    char *identity;       /* key file; NULL: what ssh would take */
    char *known_hosts;    /* of a rented machine: its key and login are these alone; NULL: as ssh */
    int64_t keep_s;       /* a connection nobody uses stays so long; 0: not said; -1: none does */
    char *workdir;        /* folder over there for all that is ours; NULL: ~/.gnrrun */
    bool shared;          /* others use it: be nice */
    int nice;             /* -1: not given (19 where shared, else 0) */
    char *python;         /* interpreter over there; NULL: look for one */
    char *setup;          /* sh lines before every run there (module load ...); NULL: none */
    char *scheduler;      /* "slurm"; NULL: programs are started on the host itself, */
    bool direct;          /* and that was said; else a queue that is found there is used */
    char *partition, *account, *qos; /* of its queue; NULL: the site's own */
    char *pe, *gpu_resource;         /* what Grid Engine's site calls these; NULL: smp, gpu */
    char *memory_resource;           /* and memory; NULL: it cannot be asked for */
    struct gn_strs submit;           /* more options for it, as the site's manual has them */
    struct gn_strs tags;
    struct gn_env_var *env;
    size_t n_env;
    struct gn_setting *settings; /* of GN_TARGET_CLOUD */
    size_t n_settings;
};

/* A folder or file that is shipped once per host. */
struct gn_data {
    char *path; /* as written, relative to the project */
    struct gn_data_on {
        char *target, *path;
    } * on; /* already there: path on that target */
    size_t n_on;
};

struct gn_needs {
    int gpus, cpus, nodes;                /* 0: not given */
    uint64_t memory_bytes, gpu_mem_bytes; /* 0: not given */
    int64_t time_s;                       /* 0: no limit */
    char *gpu_type;
};

struct gn_project {
    char *root;   /* absolute, no trailing slash */
    char *file;   /* its gnrrun.yaml, or NULL */
    char *name;   /* letters, digits, - and _; from the file or the folder's name */
    char *run;    /* default command line, or NULL */
    char *python; /* ">=3.9", or NULL */
    char *setup;  /* sh lines, or NULL */
    struct gn_env_var *env;
    size_t n_env;
    struct gn_data *data;
    size_t n_data;
    struct gn_strs results; /* patterns, "!" excludes; empty: whatever the run creates or changes */
    struct gn_strs ignore;
    struct gn_strs allow; /* files that the guard for secrets lets pass */
    struct gn_needs needs;
};

/* What is below choose:. */
struct gn_choose_keys {
    struct gn_strs prefer;     /* of local, campus, free, paid; empty: not given */
    int64_t local_if_within_s; /* 0: not given */
    int64_t max_cost_microusd;
    bool has_max_cost;
};

struct gn_config {
    struct gn_project project;
    struct gn_choose_keys choose, users_choose; /* gnrrun.yaml's, config.yaml's */
    struct gn_target *targets;                  /* project's first, then the user's */
    size_t n_targets;
    int64_t keep_s;       /* for targets that say nothing of it */
    char *user_file;      /* path of config.yaml, whether it exists or not */
    struct gn_strs notes; /* settings that are read but have no effect in this version */
};

/*
 * Find the project that holds `start` (a file or folder, absolute): the nearest
 * parent with gnrrun.yaml, else with .git, else the folder itself (the file's
 * folder); never above $HOME unless start is outside of it.  Read both files.
 */
GN_MUST int gn_config_load(const struct gn_ctx *ctx, const char *start, struct gn_config *out,
                           struct gn_err *err);
void gn_config_clear(struct gn_config *c);

/*
 * The target called name: configured ones, "POOL/HOST" (HOST may be cut at a dot), "local", a Host
 * alias of ~/.ssh/config, user@host[:port].  Otherwise GN_E_CONFIG with the nearest names as the hint.  A
 * name that begins with "-" or holds control characters or blanks is refused.
 * *out is a copy.
 */
GN_MUST int gn_target_resolve(const struct gn_ctx *ctx, const struct gn_config *c, const char *name,
                              struct gn_target *out, struct gn_err *err);
void gn_target_clear(struct gn_target *t);
void gn_target_copy(struct gn_target *to,
                    const struct gn_target *from); /* to need not be cleared */

/* What a GN_TARGET_CLOUD says for a key that is its provider's, or NULL. */
const char *gn_target_setting(const struct gn_target *t, const char *key);

/* Host i of a pool as a target of its own, "POOL/HOST"; the caller's. */
void gn_target_member(const struct gn_target *pool, size_t i, struct gn_target *out);

/* Every name that resolves without a network: configured, local, ssh aliases (for lists, completion). */
GN_MUST int gn_target_names(const struct gn_ctx *ctx, const struct gn_config *c,
                            struct gn_strs *out, struct gn_err *err);

/*
 * Edit the user's config.yaml as text: comments and order stay.  add: GN_E_EXISTS
 * when the name is there.  The file is made (0600) if need be; the result is read
 * back strictly before it replaces the old one.
 */
GN_MUST int gn_config_add_target(const struct gn_ctx *ctx, const struct gn_target *t,
                                 struct gn_err *err);
GN_MUST int gn_config_rm_target(const struct gn_ctx *ctx, const char *name, struct gn_err *err);

#endif
