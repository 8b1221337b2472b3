/*
 * values.h - from the nodes of a YAML file to checked values, by tables of keys.
 *
 * A reader leaves the field as it is when the value is null, sets it otherwise, or
 * fails with file:line:column.  Fields own what they are given.
 */
#ifndef GN_CONFIG_VALUES_H
#define GN_CONFIG_VALUES_H

#include "gnrrun/config.h"
#include "gnrrun/yaml.h"

/* What is known while a file is read. */
struct gn_reading {
    const char *file;      /* as it is called in messages */
    const char *home;      /* for ~ in paths here; NULL: leave it */
    struct gn_config *cfg; /* gets targets and notes */
    bool is_users;         /* config.yaml, not what came with a project */
};

struct gn_key;
typedef int (*gn_read_fn)(const struct gn_reading *in, const struct gn_yaml_node *n,
                          const struct gn_key *key, void *base, struct gn_err *err);

struct gn_key {
    const char *name;
    gn_read_fn read;
    size_t at;  /* of the field in base */
    size_t at2; /* of its count, where it has one */
};

/* The one of that name, or NULL. */
const struct gn_key *gn_find_key(const struct gn_key *keys, size_t n, const char *name);

/* Every key of map (null is an empty one) by the table; unknown ones are errors. */
GN_MUST int gn_read_map(const struct gn_reading *in, const struct gn_yaml_node *map,
                        const struct gn_key *keys, size_t n_keys, void *base, struct gn_err *err);

/* "'key' must be WANT, not 'value'". */
int gn_bad_value(const struct gn_reading *in, const struct gn_yaml_node *n, const char *want,
                 struct gn_err *err);

/* The nearest of some words as the hint, or all of them when none is near. */
void gn_hint_near(struct gn_err *err, const char *word, const char *const *valid, size_t n,
                  const char *kind);

/* cfg->notes: "file:line: 'key' ..." */
void gn_note(const struct gn_reading *in, int line, const char *fmt, ...) GN_PRINTF(3, 4);

int gn_read_line(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err); /* char * */
int gn_read_sh(const struct gn_reading *in, const struct gn_yaml_node *n, const struct gn_key *key,
               void *base, struct gn_err *err); /* char *: lines, or a list of them */
int gn_read_strs(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err); /* or a single one */
int gn_read_choose(const struct gn_reading *in, const struct gn_yaml_node *n,
                   const struct gn_key *key, void *base, struct gn_err *err); /* of in->cfg */
int gn_read_bool(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err);
int gn_read_count(const struct gn_reading *in, const struct gn_yaml_node *n,
                  const struct gn_key *key, void *base, struct gn_err *err); /* int */
int gn_read_port(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err); /* int */
int gn_read_nice(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err); /* int */
int gn_read_bytes(const struct gn_reading *in, const struct gn_yaml_node *n,
                  const struct gn_key *key, void *base, struct gn_err *err); /* uint64_t */
int gn_read_seconds(const struct gn_reading *in, const struct gn_yaml_node *n,
                    const struct gn_key *key, void *base, struct gn_err *err); /* int64_t */
int gn_read_keep(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base,
                 struct gn_err *err); /* int64_t: as gn_target.keep_s */
int gn_read_env(const struct gn_reading *in, const struct gn_yaml_node *n, const struct gn_key *key,
                void *base, struct gn_err *err); /* gn_env_var[] */
int gn_read_later(const struct gn_reading *in, const struct gn_yaml_node *n,
                  const struct gn_key *key, void *base, struct gn_err *err); /* a note, no field */

/* A scalar's text without control characters; NULL and an error otherwise.  Borrowed. */
const char *gn_plain_text(const struct gn_reading *in, const struct gn_yaml_node *n,
                          const char *want, struct gn_err *err);

bool gn_has_control(const char *s, const char *but);
bool gn_is_name(const char *s); /* [A-Za-z0-9][A-Za-z0-9._-]*, at most 64 */
void gn_env_clear(struct gn_env_var **env, size_t *n);

/*
 * A text as config.yaml or gnrrun.yaml, added to cfg; touches no file.  On error cfg is
 * still good for gn_config_clear().
 */
GN_MUST int gn_config_parse(const char *name, bool user_file, const char *text, size_t len,
                            const char *home, struct gn_config *cfg, struct gn_err *err);

/* The whole of a file. */
GN_MUST int gn_read_project(const struct gn_reading *in, const struct gn_yaml *y,
                            struct gn_err *err);
GN_MUST int gn_read_user(const struct gn_reading *in, const struct gn_yaml *y, struct gn_err *err);

/* The map under targets: appended to cfg->targets. */
int gn_read_targets(const struct gn_reading *in, const struct gn_yaml_node *n,
                    const struct gn_key *key, void *base, struct gn_err *err);

/* The project's folder for start, and its gnrrun.yaml if there is one; both the caller's. */
GN_MUST int gn_find_root(const struct gn_ctx *ctx, const char *start, char **root, char **file,
                         struct gn_err *err);
/* A name made from the folder's. */
char *gn_name_from_folder(const char *root);

#endif
