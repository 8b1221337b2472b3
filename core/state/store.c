/* store.c - opening, upgrading and writing the one file of state. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "state.h"

#define MAX_PROJECT  64 /* so that project-N fits gn_fetched_file.run_name */
#define OPEN_WAIT_MS 20 /* between tries while somebody else makes the file */
#define OPEN_TRIES   500

/* Step i takes a file of version i to version i + 1.  Never change one that was released. */
static const char *const migrations[] = {
    "CREATE TABLE projects(name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE runs("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE, token TEXT NOT NULL UNIQUE, created_s INTEGER NOT NULL,"
    "  project TEXT NOT NULL REFERENCES projects(name), number INTEGER NOT NULL,"
    "  root TEXT NOT NULL, target TEXT NOT NULL, workdir TEXT NOT NULL,"
    "  command TEXT NOT NULL, snapshot TEXT NOT NULL, note TEXT NOT NULL,"
    "  state TEXT NOT NULL, code INTEGER NOT NULL, sig TEXT NOT NULL, reason TEXT NOT NULL,"
    "  host TEXT NOT NULL, started_s INTEGER NOT NULL, ended_s INTEGER NOT NULL,"
    "  log_bytes INTEGER NOT NULL, shown_bytes INTEGER NOT NULL,"
    "  fetched TEXT NOT NULL, fetched_files INTEGER NOT NULL, fetched_bytes INTEGER NOT NULL,"
    "  ship_files INTEGER NOT NULL, ship_bytes INTEGER NOT NULL, sent_bytes INTEGER NOT NULL,"
    "  detached INTEGER NOT NULL, removed_there INTEGER NOT NULL, spec TEXT NOT NULL);"
    "CREATE INDEX runs_root ON runs(root, number);"
    "CREATE INDEX runs_root_id ON runs(root, id);"
    "CREATE INDEX runs_note ON runs(note);"
    /* Outlives its run: a later fetch must still know these files as gnrrun's own. */
    "CREATE TABLE fetched_files("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  dest TEXT NOT NULL, path TEXT NOT NULL, run_id INTEGER NOT NULL, run_name TEXT NOT NULL,"
    "  hash TEXT NOT NULL, size INTEGER NOT NULL,"
    "  far_mtime_ns INTEGER NOT NULL, far_ctime_ns INTEGER NOT NULL,"
    "  UNIQUE(dest, path, run_id));",
    /* The words that a hundred thousand files share stand once; a file is one row in one tree. */
    "CREATE TABLE fetches("
    "  id INTEGER PRIMARY KEY, dest TEXT NOT NULL, run_id INTEGER NOT NULL, run_name TEXT NOT NULL,"
    "  last INTEGER NOT NULL, UNIQUE(dest, run_id));"
    "CREATE INDEX fetches_last ON fetches(last);"
    "CREATE INDEX fetches_dest_last ON fetches(dest, last);"
    "CREATE TABLE fetched("
    "  fetch INTEGER NOT NULL, path TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,"
    "  size INTEGER NOT NULL, far_mtime_ns INTEGER NOT NULL, far_ctime_ns INTEGER NOT NULL,"
    "  PRIMARY KEY(fetch, path)) WITHOUT ROWID;"
    "INSERT INTO fetches(dest, run_id, run_name, last)"
    "  SELECT dest, run_id, max(run_name), max(id) FROM fetched_files GROUP BY dest, run_id;"
    "INSERT INTO fetched SELECT f.id, o.path, o.id, o.hash, o.size, o.far_mtime_ns, o.far_ctime_ns"
    "  FROM fetched_files o JOIN fetches f ON f.dest = o.dest AND f.run_id = o.run_id;"
    "DROP TABLE fetched_files;",
    "ALTER TABLE runs ADD COLUMN sweep INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE runs ADD COLUMN member INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE runs ADD COLUMN params TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE runs ADD COLUMN members INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE runs ADD COLUMN members_over INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE runs ADD COLUMN members_ok INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX runs_sweep ON runs(sweep, member) WHERE sweep != 0;",
    /* Outlives its run: what may cost money is not forgotten with it. */
    "CREATE TABLE leases("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL,"
    "  target TEXT NOT NULL, type TEXT NOT NULL, settings TEXT NOT NULL,"
    "  token TEXT NOT NULL UNIQUE, name TEXT NOT NULL, far_id TEXT NOT NULL,"
    "  region TEXT NOT NULL, zone TEXT NOT NULL, machine TEXT NOT NULL, spot INTEGER NOT NULL,"
    "  state TEXT NOT NULL, why TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL,"
    "  user TEXT NOT NULL, owner TEXT NOT NULL, run TEXT NOT NULL, asked_s INTEGER NOT NULL,"
    "  made_s INTEGER NOT NULL, deadline_s INTEGER NOT NULL, ended_s INTEGER NOT NULL,"
    "  price INTEGER NOT NULL, worst INTEGER NOT NULL);"
    "CREATE INDEX leases_run ON leases(run_id);"
    "CREATE INDEX leases_open ON leases(state) WHERE state != 'gone';",
};
#define VERSION ((int64_t)(sizeof migrations / sizeof *migrations))

static int query_int(struct gn_db *db, const char *sql, int64_t *out, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row;
    int rc;

    rc = gn_db_query(db, sql, &st, err);
    if (!rc)
        rc = gn_stmt_step(st, &row, err);
    if (rc)
        return rc;
    *out = row ? gn_stmt_get_int(st, 0) : 0;
    gn_stmt_reset(st);
    return GN_OK;
}

static void rollback(struct gn_store *s)
{
    struct gn_err ignored = GN_ERR_INIT;
    int rc = GN_OK;

    /* SQLite may have rolled back by itself; and the error that matters is set already. */
    if (gn_db_in_tx(s->db))
        rc = gn_db_run(s->db, "ROLLBACK", &ignored);
    (void)rc;
}

static int upgrade(struct gn_store *s, struct gn_err *err)
{
    int64_t version;
    char sql[64];
    int rc;

    rc = query_int(s->db, "PRAGMA user_version", &version, err);
    if (!rc && version > VERSION) {
        gn_err_set(err, GN_E_FAIL,
                   "'%s' was written by a newer gnrrun (format %lld, this one knows %lld)", s->path,
                   (long long)version, (long long)VERSION);
        return gn_err_hint(err, "use the newer gnrrun, or give this one another XDG_STATE_HOME");
    }
    if (rc || version == VERSION)
        return rc;

    rc = gn_db_run(s->db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err);
    if (!rc) /* again: somebody else may have done it while we waited */
        rc = query_int(s->db, "PRAGMA user_version", &version, err);
    for (; !rc && version >= 0 && version < VERSION; version++)
        rc = gn_db_run(s->db, migrations[version], err);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%lld; COMMIT", (long long)VERSION);
    if (!rc && version < VERSION)
        rc = gn_err_set(err, GN_E_FAIL, "'%s' is not a file of gnrrun's", s->path);
    if (!rc)
        rc = gn_db_run(s->db, version > VERSION ? "COMMIT" : sql, err);
    if (rc)
        rollback(s);
    return rc;
}

/* SQLite does not wait for all of the locks it takes when a file becomes a WAL one: we do. */
static int prepare(struct gn_store *s, struct gn_err *err)
{
    int rc = GN_OK;

    for (int i = 0; i < OPEN_TRIES; i++) {
        rc = gn_db_run(s->db, s->wal ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE",
                       err);
        if (!rc)
            rc = gn_db_run(s->db,
                           "PRAGMA foreign_keys=ON; PRAGMA fullfsync=ON;"
                           "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON",
                           err);
        if (!rc)
            rc = upgrade(s, err);
        if (!rc || !gn_db_was_busy(s->db))
            break;
        rc = gn_wait_ms(s->ctx, OPEN_WAIT_MS, err);
        if (rc)
            break;
    }
    if (!rc)
        rc = gn_db_run(s->db, "PRAGMA synchronous=FULL", err);
    s->durable = true;
    return rc;
}

int gn_store_open(const struct gn_ctx *ctx, struct gn_store **out, struct gn_err *err)
{
    int rc = gn_fs_mkdirs(ctx->state_dir, 0700, err);

    return rc ? rc : gn_store_open_as(ctx, !gn_place_is_network(ctx->state_dir), out, err);
}

int gn_store_open_as(const struct gn_ctx *ctx, bool wal, struct gn_store **out, struct gn_err *err)
{
    struct gn_store *s = gn_new(struct gn_store);
    int rc;

    s->ctx = ctx;
    s->wal = wal;
    s->path = gn_path_join(ctx->state_dir, "state.db");
    s->insert_sql = gn_run_insert_sql();
    s->update_sql = gn_run_update_sql("");
    s->advance_sql = gn_run_update_sql(" AND state NOT IN (" GN_STATES_OVER ")");
    rc = gn_place_make_private(ctx->state_dir, s->path, err);
    if (!rc)
        rc = gn_db_open(s->path, &s->db, err);
    if (!rc)
        rc = prepare(s, err);
    if (rc) {
        gn_store_close(s);
        return rc;
    }
    *out = s;
    return GN_OK;
}

void gn_store_close(struct gn_store *s)
{
    if (!s)
        return;
    gn_db_close(s->db);
    gn_fetch_forget(s);
    free(s->path);
    free(s->insert_sql);
    free(s->update_sql);
    free(s->advance_sql);
    free(s);
}

/* synchronous cannot be changed within a transaction; a batch has its own. */
int gn_store_durable(struct gn_store *s, bool durable, struct gn_err *err)
{
    int rc = GN_OK;

    if (s->batch) {
        if (!gn_db_in_tx(s->db))
            return gn_err_set(err, GN_E_FAIL, "'%s': an earlier write of the same batch failed",
                              s->path);
        return GN_OK;
    }
    durable = durable || !s->wal; /* without WAL, less would risk the file itself */
    if (s->durable != durable)
        rc = gn_db_run(s->db, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                       err);
    if (!rc)
        s->durable = durable;
    return rc;
}

int gn_store_begin(struct gn_store *s, struct gn_err *err)
{
    int rc;

    if (s->batch)
        return gn_err_set(err, GN_E_BUG, "a batch within a batch");
    rc = gn_store_durable(s, true, err);
    if (!rc)
        rc = gn_db_run(s->db, "BEGIN IMMEDIATE", err);
    s->batch = !rc;
    gn_fetch_forget(s);
    return rc;
}

int gn_store_end(struct gn_store *s, struct gn_err *err)
{
    int rc;

    if (!s->batch)
        return gn_err_set(err, GN_E_BUG, "the end of no batch");
    rc = gn_store_durable(s, true, err);
    if (!rc)
        rc = gn_db_run(s->db, "COMMIT", err);
    if (rc)
        rollback(s);
    s->batch = false;
    gn_fetch_forget(s);
    return rc;
}

/* project-N and N; inside a transaction. */
static int next_number(struct gn_store *s, const char *project, int64_t *number, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row = false;
    int rc;

    rc = gn_db_query(s->db,
                     "INSERT INTO projects(name, last) VALUES(?, 1) "
                     "ON CONFLICT(name) DO UPDATE SET last = last + 1 RETURNING last",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, project);
    rc = gn_stmt_step(st, &row, err);
    if (rc)
        return rc;
    *number = row ? gn_stmt_get_int(st, 0) : 0;
    /* RETURNING has done all its work before the first row, but the statement must end. */
    return gn_stmt_done(st, err);
}

/* For people who look there: the run's name; for certainty: chance. */
static char *new_token(const char *name)
{
    char hex[17], *token;

    gn_random_hex(hex, 8);
    token = gn_printf("%s-%s", name, hex);
    for (char *p = token; *p; p++) {
        if (*p == '_' || *p == '.')
            *p = '-';
    }
    return token;
}

/* Takes name and token; a member's number is 0. */
static int insert_row(struct gn_store *s, struct gn_run *r, char *name, char *token, int64_t number,
                      struct gn_err *err)
{
    struct gn_stmt *st;
    int rc, i;

    rc = gn_db_query(s->db, s->insert_sql, &st, err);
    if (rc) {
        free(name);
        free(token);
        return rc;
    }
    i = gn_run_bind(st, r);
    gn_stmt_str(st, i, name);
    gn_stmt_str(st, i + 1, token);
    gn_stmt_int(st, i + 2, r->created_s);
    gn_stmt_int(st, i + 3, number);
    rc = gn_stmt_done(st, err);
    if (rc) {
        free(name);
        free(token);
        return rc;
    }
    r->id = gn_db_last_id(s->db);
    free(r->name);
    r->name = name;
    free(r->token);
    r->token = token;
    return GN_OK;
}

static int insert(struct gn_store *s, struct gn_run *r, struct gn_err *err)
{
    int64_t number = 0;
    int rc = next_number(s, r->project, &number, err);
    char *name;

    if (rc)
        return rc;
    name = gn_printf("%s-%" PRId64, r->project, number);
    return insert_row(s, r, name, r->token && *r->token ? gn_strdup(r->token) : new_token(name),
                      number, err);
}

static int insert_members(struct gn_store *s, const struct gn_run *r, struct gn_run *members,
                          size_t n, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; i < n && !rc; i++) {
        members[i].sweep = r->id;
        members[i].member = (int64_t)i + 1;
        members[i].created_s = r->created_s;
        rc = insert_row(s, &members[i], gn_printf("%s.%zu", r->name, i + 1),
                        gn_printf("%s.%zu", r->token, i + 1), 0, err);
    }
    return rc;
}

static bool is_project_name(const char *s)
{
    size_t n = s ? strlen(s) : 0;

    return n > 0 && n <= MAX_PROJECT && s[0] != '.' && s[0] != '-' && !strchr(s, '/');
}

int gn_store_create(struct gn_store *s, struct gn_run *r, struct gn_err *err)
{
    return gn_store_create_sweep(s, r, NULL, 0, err);
}

int gn_store_create_sweep(struct gn_store *s, struct gn_run *r, struct gn_run *members, size_t n,
                          struct gn_err *err)
{
    bool own = !s->batch;
    int rc;

    if (!is_project_name(r->project))
        return gn_err_set(err, GN_E_BUG, "a run without a usable project name");
    if (!r->created_s && s->ctx->wall_s)
        r->created_s = s->ctx->wall_s(s->ctx);
    rc = gn_store_durable(s, true, err);
    if (!rc && own)
        rc = gn_db_run(s->db, "BEGIN IMMEDIATE", err);
    if (!rc)
        rc = insert(s, r, err);
    if (!rc)
        rc = insert_members(s, r, members, n, err);
    if (!rc && own)
        rc = gn_db_run(s->db, "COMMIT", err);
    if (rc && own)
        rollback(s);
    return rc;
}

static int update(struct gn_store *s, const char *sql, const struct gn_run *r, bool durable,
                  struct gn_err *err)
{
    struct gn_stmt *st;
    int rc, i;

    rc = gn_store_durable(s, durable, err);
    if (!rc)
        rc = gn_db_query(s->db, sql, &st, err);
    if (rc)
        return rc;
    i = gn_run_bind(st, r);
    gn_stmt_int(st, i, r->id);
    return gn_stmt_done(st, err);
}

static int gone(int64_t id, const char *name, struct gn_err *err)
{
    if (name && *name)
        return gn_err_set(err, GN_E_NOTFOUND, "run '%s' is no longer on record", name);
    return gn_err_set(err, GN_E_NOTFOUND, "run number %lld is no longer on record", (long long)id);
}

int gn_store_update(struct gn_store *s, const struct gn_run *r, bool durable, struct gn_err *err)
{
    int rc = update(s, s->update_sql, r, durable, err);

    if (!rc && gn_db_changes(s->db) == 0)
        rc = gone(r->id, r->name, err);
    return rc;
}

int gn_store_advance(struct gn_store *s, const struct gn_run *r, bool *changed, struct gn_err *err)
{
    int rc = update(s, s->advance_sql, r, true, err);

    if (!rc)
        *changed = gn_db_changes(s->db) > 0;
    return rc;
}

/* One statement with a number and an id; NOTFOUND when there was nothing to change. */
static int change_one(struct gn_store *s, const char *sql, int64_t id, const int64_t *value,
                      bool durable, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_store_durable(s, durable, err);
    if (!rc)
        rc = gn_db_query(s->db, sql, &st, err);
    if (rc)
        return rc;
    gn_stmt_int(st, 1, id);
    if (value)
        gn_stmt_int(st, 2, *value);
    rc = gn_stmt_done(st, err);
    if (!rc && gn_db_changes(s->db) == 0)
        rc = gone(id, NULL, err);
    return rc;
}

int gn_store_set_shown(struct gn_store *s, int64_t id, int64_t shown, struct gn_err *err)
{
    return change_one(s, "UPDATE runs SET shown_bytes = ?2 WHERE id = ?1", id, &shown, false, err);
}

int gn_store_forget(struct gn_store *s, int64_t id, struct gn_err *err)
{
    return change_one(s, "DELETE FROM runs WHERE id = ?1 OR (sweep = ?1 AND sweep != 0)", id, NULL,
                      true, err);
}

int gn_store_check(struct gn_store *s, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row = false;
    int rc;

    rc = gn_db_query(s->db, "PRAGMA integrity_check(1)", &st, err);
    if (!rc)
        rc = gn_stmt_step(st, &row, err);
    if (rc)
        return rc;
    if (row && strcmp(gn_stmt_get_str(st, 0), "ok") != 0)
        rc = gn_err_set(err, GN_E_FAIL, "'%s' is damaged: %.200s", s->path, gn_stmt_get_str(st, 0));
    gn_stmt_reset(st);
    return rc;
}

char *gn_store_path(const struct gn_ctx *ctx, const struct gn_run *r, const char *leaf)
{
    return gn_printf("%s/runs/%s/%s", ctx->state_dir, r->name, leaf);
}
