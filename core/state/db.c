/* db.c - the only file that knows SQLite. */
#include "db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"

#define BUSY_MS 10000

struct gn_stmt {
    struct gn_db *db;
    const char *sql;
    sqlite3_stmt *st;
    int bad; /* the first bind that failed */
    struct gn_stmt *next;
};

struct gn_db {
    sqlite3 *db;
    char *path;
    struct gn_stmt *stmts;
    int last_rc;
};

static int damaged(const struct gn_db *db, struct gn_err *err)
{
    gn_err_set(err, GN_E_FAIL, "'%s' is damaged or not a file of gnrrun's", db->path);
    return gn_err_hint(err,
                       "move it away to start afresh (runs go on where they are, but must then be "
                       "looked up there by hand), or bring back a copy");
}

/*
 * SQLite's code, and the errno below it, in our words.  Called with errno as the call left
 * it: sqlite3_system_errno() does not know about a COMMIT.
 */
static int say(struct gn_db *db, int rc, struct gn_err *err)
{
    int left = errno;
    int sys = db->db && sqlite3_system_errno(db->db) ? sqlite3_system_errno(db->db) : left;
    const char *text = db->db ? sqlite3_errmsg(db->db) : sqlite3_errstr(rc);

    db->last_rc = rc & 0xff;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        gn_err_set(err, GN_E_CAPACITY, "cannot write '%s': no space left on device", db->path);
        return gn_err_hint(err, "make room on that disk; nothing written before is lost");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return damaged(db, err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        gn_err_set(err, GN_E_FAIL, "'%s' is in use by another gnrrun for more than %d seconds",
                   db->path, BUSY_MS / 1000);
        return gn_err_hint(err, "try again; if it stays so, look for a stopped gnrrun with ps");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return gn_err_set(err, GN_E_FAIL, "cannot write '%s': it is read-only", db->path);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        if (sys == EFBIG)
            return gn_err_set(err, GN_E_CAPACITY, "cannot write '%s': %s", db->path, strerror(sys));
        if (sys)
            return gn_err_sys(err, sys, "cannot use '%s'", db->path);
        break;
    default:
        break;
    }
    return gn_err_set(err, GN_E_FAIL, "cannot use '%s': %s", db->path, text);
}

int gn_db_open(const char *path, struct gn_db **out, struct gn_err *err)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    struct gn_db *db = gn_new(struct gn_db);
    int rc;

    db->path = gn_strdup(path);
    errno = 0;
    rc = sqlite3_open_v2(path, &db->db, flags, NULL);
    if (rc != SQLITE_OK) {
        rc = say(db, rc, err);
        gn_db_close(db);
        return rc;
    }
    sqlite3_extended_result_codes(db->db, 1);
    sqlite3_busy_timeout(db->db, BUSY_MS);
    *out = db;
    return GN_OK;
}

void gn_db_close(struct gn_db *db)
{
    if (!db)
        return;
    while (db->stmts) {
        struct gn_stmt *st = db->stmts;

        db->stmts = st->next;
        sqlite3_finalize(st->st);
        free(st);
    }
    sqlite3_close(db->db);
    free(db->path);
    free(db);
}

int gn_db_run(struct gn_db *db, const char *sql, struct gn_err *err)
{
    int rc;

    errno = 0;
    rc = sqlite3_exec(db->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? GN_OK : say(db, rc, err);
}

int gn_db_query(struct gn_db *db, const char *sql, struct gn_stmt **out, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    for (st = db->stmts; st; st = st->next) {
        if (strcmp(st->sql, sql) == 0) {
            gn_stmt_reset(st);
            *out = st;
            return GN_OK;
        }
    }
    st = gn_new(struct gn_stmt);
    errno = 0;
    rc = sqlite3_prepare_v3(db->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->st, NULL);
    if (rc != SQLITE_OK) {
        rc = say(db, rc, err);
        free(st);
        return rc;
    }
    st->db = db;
    st->sql = sql;
    st->next = db->stmts;
    db->stmts = st;
    *out = st;
    return GN_OK;
}

static void note_bind(struct gn_stmt *st, int rc)
{
    if (rc != SQLITE_OK && !st->bad)
        st->bad = rc;
}

void gn_stmt_str(struct gn_stmt *st, int i, const char *s)
{
    note_bind(st, sqlite3_bind_text(st->st, i, s ? s : "", -1, SQLITE_STATIC));
}

void gn_stmt_int(struct gn_stmt *st, int i, int64_t v)
{
    note_bind(st, sqlite3_bind_int64(st->st, i, v));
}

int gn_stmt_step(struct gn_stmt *st, bool *row, struct gn_err *err)
{
    int rc;

    errno = 0;
    rc = st->bad ? st->bad : sqlite3_step(st->st);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return GN_OK;
    /* Worded before the reset: that may clear what went wrong. */
    rc = rc == SQLITE_DONE ? GN_OK : say(st->db, rc, err);
    gn_stmt_reset(st);
    return rc;
}

int gn_stmt_done(struct gn_stmt *st, struct gn_err *err)
{
    bool row = false;
    int rc = gn_stmt_step(st, &row, err);

    gn_stmt_reset(st);
    return rc;
}

void gn_stmt_reset(struct gn_stmt *st)
{
    sqlite3_reset(st->st);
    sqlite3_clear_bindings(st->st);
    st->bad = 0;
}

const char *gn_stmt_get_str(struct gn_stmt *st, int col)
{
    const unsigned char *s = sqlite3_column_text(st->st, col);

    return s ? (const char *)s : "";
}

int64_t gn_stmt_get_int(struct gn_stmt *st, int col)
{
    return sqlite3_column_int64(st->st, col);
}

bool gn_db_in_tx(struct gn_db *db)
{
    return !sqlite3_get_autocommit(db->db);
}

bool gn_db_was_busy(struct gn_db *db)
{
    return db->last_rc == SQLITE_BUSY || db->last_rc == SQLITE_LOCKED;
}

int64_t gn_db_last_id(struct gn_db *db)
{
    return sqlite3_last_insert_rowid(db->db);
}

int gn_db_changes(struct gn_db *db)
{
    return sqlite3_changes(db->db);
}
