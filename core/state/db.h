/*
 * db.h - SQLite as the store needs it: prepared once, errors in our words.
 *
 * A statement is the db's and is kept by its text; the text must live as long as the
 * db.  Strings are bytes: they are stored and compared as they are.
 */
#ifndef GN_STATE_DB_H
#define GN_STATE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/err.h"

struct gn_db;
struct gn_stmt;

/* Open the file, which exists.  Waits up to ten seconds for other writers, here and later. */
GN_MUST int gn_db_open(const char *path, struct gn_db **out, struct gn_err *err);
void gn_db_close(struct gn_db *db); /* an open transaction is rolled back; NULL is allowed */

/* SQL without values and without rows that matter; several statements. */
GN_MUST int gn_db_run(struct gn_db *db, const char *sql, struct gn_err *err);

/* The statement of this text, ready for values. */
GN_MUST int gn_db_query(struct gn_db *db, const char *sql, struct gn_stmt **out,
                        struct gn_err *err);
void gn_stmt_str(struct gn_stmt *st, int i,
                 const char *s); /* from 1; lives until reset; NULL: "" */
void gn_stmt_int(struct gn_stmt *st, int i, int64_t v);

/* *row: there is one.  At the end and on error the statement is reset. */
GN_MUST int gn_stmt_step(struct gn_stmt *st, bool *row, struct gn_err *err);
GN_MUST int gn_stmt_done(struct gn_stmt *st, struct gn_err *err); /* one step, no row wanted */
void gn_stmt_reset(struct gn_stmt *st);
const char *gn_stmt_get_str(struct gn_stmt *st, int col); /* from 0; borrowed until the next step */
int64_t gn_stmt_get_int(struct gn_stmt *st, int col);

bool gn_db_in_tx(struct gn_db *db);
bool gn_db_was_busy(struct gn_db *db); /* the last error: somebody else holds the lock */
int64_t gn_db_last_id(struct gn_db *db);
int gn_db_changes(struct gn_db *db);

#endif
