/* test_store.c - what is written is read back; names, upgrades, damage. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kit.h"
#include "state.h"

static struct gn_store *open_store(struct kit *k)
{
    struct gn_store *s = NULL;

    ok(k, gn_store_open(&k->ctx, &s, &k->err));
    return s;
}

static int64_t create(struct kit *k, struct gn_store *s, const char *project, const char *root,
                      const char *want_name)
{
    struct gn_run r = kit_run(project, root);
    int64_t id;

    ok(k, gn_store_create(s, &r, &k->err));
    if (want_name)
        assert_string_equal(r.name, want_name);
    id = r.id;
    gn_run_clear(&r);
    return id;
}

static void a_run_is_read_back_as_it_was_written(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct gn_run r = kit_run("mnist", "/home/s1/mn\xffist\n"), got = {0};

    ok(k, gn_store_create(s, &r, &k->err));
    assert_string_equal(r.name, "mnist-1");
    assert_int_equal(r.created_s, 1700000000);
    assert_memory_equal(r.token, "mnist-1-", 8);
    assert_int_equal(strlen(r.token), 24);
    r.workdir = gn_strdup("/scratch/s1");
    r.snapshot = gn_strdup("cafe");
    r.note = gn_strdup("baseline \xc3\xa9\x80");
    r.state = GN_FAILED;
    r.code = 137;
    r.sig = gn_strdup("KILL");
    r.reason = gn_strdup("signal");
    r.host = gn_strdup("gpu3");
    r.started_s = 5;
    r.ended_s = 6;
    r.log_bytes = 1LL << 40;
    r.shown_bytes = 12;
    r.fetched = GN_FETCH_SOME;
    r.fetched_files = 3;
    r.fetched_bytes = 4;
    r.ship_files = 7;
    r.ship_bytes = 8;
    r.sent_bytes = 9;
    r.detached = true;
    r.removed_there = true;
    ok(k, gn_store_update(s, &r, true, &k->err));
    gn_store_close(s);

    s = open_store(k);
    ok(k, gn_store_find(s, "mnist-1", NULL, &got, &k->err));
    assert_int_equal(got.id, r.id);
    assert_string_equal(got.token, r.token);
    assert_string_equal(got.root, r.root);
    assert_string_equal(got.target, "ravan");
    assert_string_equal(got.workdir, "/scratch/s1");
    assert_string_equal(got.command, r.command);
    assert_string_equal(got.spec, r.spec);
    assert_string_equal(got.snapshot, "cafe");
    assert_string_equal(got.note, r.note);
    assert_int_equal(got.state, GN_FAILED);
    assert_int_equal(got.code, 137);
    assert_string_equal(got.sig, "KILL");
    assert_string_equal(got.reason, "signal");
    assert_string_equal(got.host, "gpu3");
    assert_int_equal(got.started_s, 5);
    assert_int_equal(got.ended_s, 6);
    assert_int_equal(got.log_bytes, 1LL << 40);
    assert_int_equal(got.shown_bytes, 12);
    assert_int_equal(got.fetched, GN_FETCH_SOME);
    assert_int_equal(got.fetched_files, 3);
    assert_int_equal(got.fetched_bytes, 4);
    assert_int_equal(got.ship_files, 7);
    assert_int_equal(got.ship_bytes, 8);
    assert_int_equal(got.sent_bytes, 9);
    assert_true(got.detached && got.removed_there);
    gn_run_clear(&got);
    gn_run_clear(&r);
    gn_store_close(s);
}

static void names_count_per_project_and_are_never_used_again(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    int64_t second;

    create(k, s, "mnist", "/a", "mnist-1");
    create(k, s, "iris", "/b", "iris-1");
    second = create(k, s, "mnist", "/a", "mnist-2");
    ok(k, gn_store_forget(s, second, &k->err));
    assert_int_equal(gn_store_forget(s, second, &k->err), GN_E_NOTFOUND);
    gn_store_close(s);
    s = open_store(k);
    assert_true(create(k, s, "mnist", "/a", "mnist-3") > second);
    gn_store_close(s);
}

static void a_bad_project_name_is_our_bug(void **state)
{
    struct kit *k = *state;
    const char *const bad[] = {"", "a/b", ".x", "-x"};
    struct gn_store *s = open_store(k);

    for (size_t i = 0; i < 4; i++) {
        struct gn_run r = kit_run(bad[i], "/a");

        assert_int_equal(gn_store_create(s, &r, &k->err), GN_E_BUG);
        gn_run_clear(&r);
    }
    gn_store_close(s);
}

static void advance_never_wakes_an_ended_run(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k), *other = open_store(k);
    struct gn_run r = kit_run("mnist", "/a"), got = {0};
    bool changed = false;

    ok(k, gn_store_create(s, &r, &k->err));
    r.state = GN_RUNNING;
    ok(k, gn_store_advance(s, &r, &changed, &k->err));
    assert_true(changed);
    r.state = GN_SUCCEEDED;
    ok(k, gn_store_advance(other, &r, &changed, &k->err));
    assert_true(changed);
    r.state = GN_RUNNING;
    ok(k, gn_store_advance(s, &r, &changed, &k->err));
    assert_false(changed);
    ok(k, gn_store_find(s, NULL, "/a", &got, &k->err));
    assert_int_equal(got.state, GN_SUCCEEDED);
    gn_run_clear(&got);
    gn_run_clear(&r);
    gn_store_close(s);
    gn_store_close(other);
}

/* The store's own word for "over" is gn_state_over(), for every state there is. */
static void advance_leaves_every_state_but_the_last_ones(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);

    for (int from = GN_CREATED; from <= GN_LOST; from++) {
        struct gn_run r = kit_run("mnist", "/a");
        bool changed = false;

        r.state = (enum gn_state)from;
        ok(k, gn_store_create(s, &r, &k->err));
        r.state = GN_LOST;
        ok(k, gn_store_advance(s, &r, &changed, &k->err));
        assert_int_equal(changed, !gn_state_over((enum gn_state)from));
        gn_run_clear(&r);
    }
    gn_store_close(s);
}

static void an_update_does_not_unshow_and_knows_a_forgotten_run(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct gn_run r = kit_run("mnist", "/a"), got = {0};

    ok(k, gn_store_create(s, &r, &k->err));
    ok(k, gn_store_set_shown(s, r.id, 500, &k->err));
    r.shown_bytes = 20;
    ok(k, gn_store_update(s, &r, false, &k->err));
    ok(k, gn_store_find(s, "mnist-1", NULL, &got, &k->err));
    assert_int_equal(got.shown_bytes, 500);
    ok(k, gn_store_forget(s, r.id, &k->err));
    assert_int_equal(gn_store_update(s, &r, true, &k->err), GN_E_NOTFOUND);
    assert_string_equal(k->err.msg, "run 'mnist-1' is no longer on record");
    assert_int_equal(gn_store_set_shown(s, r.id, 1, &k->err), GN_E_NOTFOUND);
    gn_run_clear(&got);
    gn_run_clear(&r);
    gn_store_close(s);
}

static void find_expect(struct kit *k, struct gn_store *s, const char *name, const char *root,
                        const char *want)
{
    struct gn_run got = {0};

    ok(k, gn_store_find(s, name, root, &got, &k->err));
    assert_string_equal(got.name, want);
    gn_run_clear(&got);
}

static void a_run_is_found_by_name_number_note_or_as_the_newest(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct gn_run r = kit_run("mnist", "/a"), got = {0};

    assert_int_equal(gn_store_find(s, NULL, "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_int_equal(gn_store_find(s, "x", "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_string_equal(k->err.hint, "no run is on record yet");
    r.note = gn_strdup("baseline");
    ok(k, gn_store_create(s, &r, &k->err));
    create(k, s, "mnist", "/a", "mnist-2");
    create(k, s, "iris", "/b", "iris-1");

    find_expect(k, s, "mnist-1", NULL, "mnist-1");
    find_expect(k, s, "2", "/a", "mnist-2");
    find_expect(k, s, "1", "/b", "iris-1");
    find_expect(k, s, "baseline", "/b", "mnist-1");
    find_expect(k, s, NULL, "/a", "mnist-2");
    find_expect(k, s, NULL, NULL, "iris-1");

    assert_int_equal(gn_store_find(s, "mnits-2", "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_string_equal(k->err.msg, "no run is called 'mnits-2'");
    assert_string_equal(k->err.hint, "did you mean 'mnist-2'?");
    assert_int_equal(gn_store_find(s, "3", "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_int_equal(gn_store_find(s, "zzzzzzzzz\n\x1b[2J", "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_null(strpbrk(k->err.msg, "\n\x1b"));
    assert_non_null(strstr(k->err.hint, "'iris-1', 'mnist-2', 'mnist-1'"));
    assert_int_equal(gn_store_find(s, "", "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_int_equal(gn_store_find(s, "99999999999999999999999", "/a", &got, &k->err),
                     GN_E_NOTFOUND);
    assert_int_equal(gn_store_find(s, NULL, "/c", &got, &k->err), GN_E_NOTFOUND);
    gn_run_clear(&r);
    gn_store_close(s);
}

struct seen {
    struct gn_store *store;
    int64_t last;
    int n, stop_at;
};

/* A callback may write meanwhile. */
static int see(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct seen *seen = arg;

    assert_true(seen->last == 0 || r->id < seen->last);
    seen->last = r->id;
    seen->n++;
    if (seen->n == seen->stop_at)
        return gn_err_set(err, GN_E_CANCEL, "enough");
    return gn_store_update(seen->store, r, false, err);
}

struct listed {
    size_t n, over;
    int64_t last;
};

static int list_one(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct listed *l = arg;

    (void)err;
    if (l->n)
        assert_true(r->id < l->last);
    l->last = r->id;
    l->n++;
    l->over += gn_state_over(r->state);
    assert_string_equal(r->target, "ravan");
    assert_int_equal(strncmp(r->name, "proj-", 5), 0);
    return GN_OK;
}

static void a_list_has_what_goes_on_and_the_newest_that_ended(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct listed l = {0};
    int64_t n = 0;

    ok(k, gn_store_begin(s, &k->err));
    for (int i = 0; i < 60; i++) {
        struct gn_run r = kit_run("proj", "/proj");

        ok(k, gn_store_create(s, &r, &k->err));
        r.state = i % 3 ? GN_SUCCEEDED : GN_RUNNING;
        ok(k, gn_store_update(s, &r, false, &k->err));
        gn_run_clear(&r);
    }
    ok(k, gn_store_end(s, &k->err));
    ok(k, gn_store_list(s, -1, list_one, &l, &k->err));
    assert_int_equal(l.n, 60);
    l = (struct listed){0};
    ok(k, gn_store_list(s, 10, list_one, &l, &k->err));
    assert_int_equal(l.n, 30);
    assert_int_equal(l.over, 10);
    ok(k, gn_store_count(s, &n, &k->err));
    assert_int_equal(n, 60);
    gn_store_close(s);
}

static void each_gives_the_newest_first_and_stops_when_told(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct seen seen = {.store = s};

    ok(k, gn_store_begin(s, &k->err));
    for (int i = 0; i < 200; i++)
        create(k, s, i % 2 ? "odd" : "even", i % 2 ? "/odd" : "/even", NULL);
    ok(k, gn_store_end(s, &k->err));
    ok(k, gn_store_each(s, NULL, 0, see, &seen, &k->err));
    assert_int_equal(seen.n, 200);
    seen = (struct seen){.store = s};
    ok(k, gn_store_each(s, "/odd", 0, see, &seen, &k->err));
    assert_int_equal(seen.n, 100);
    seen = (struct seen){.store = s};
    ok(k, gn_store_each(s, "/odd", 64, see, &seen, &k->err));
    assert_int_equal(seen.n, 64);
    seen = (struct seen){.store = s};
    ok(k, gn_store_each(s, NULL, 70, see, &seen, &k->err));
    assert_int_equal(seen.n, 70);
    seen = (struct seen){.store = s, .stop_at = 3};
    assert_int_equal(gn_store_each(s, NULL, 0, see, &seen, &k->err), GN_E_CANCEL);
    assert_int_equal(seen.n, 3);
    seen = (struct seen){.store = s};
    ok(k, gn_store_each(s, "/none", 5, see, &seen, &k->err));
    assert_int_equal(seen.n, 0);
    gn_store_close(s);
}

static void put(struct kit *k, struct gn_store *s, const char *path, char digit, int64_t run)
{
    struct gn_fetched_file f = {.size = 1ULL << 40, .far_mtime_ns = -5, .run_id = run};
    char p[32], d[] = "/home/s1/p";

    snprintf(p, sizeof p, "%s", path);
    f.path = p;
    f.dest = d;
    memset(f.hash, digit, 64);
    snprintf(f.run_name, sizeof f.run_name, "p-%d", (int)run);
    ok(k, gn_store_put_fetched(s, &f, &k->err));
}

static void the_last_fetch_of_a_file_is_known_also_after_its_run_is_forgotten(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct gn_fetched_file f = {0};
    int64_t id = create(k, s, "p", "/home/s1/p", "p-1");

    put(k, s, "out\xff.bin", 'a', id);
    put(k, s, "out\xff.bin", 'b', id + 1);
    ok(k, gn_store_get_fetched(s, "/home/s1/p", "out\xff.bin", &f, &k->err));
    assert_int_equal(f.hash[0], 'b');
    assert_int_equal(f.hash[64], 0);
    assert_int_equal(f.size, 1ULL << 40);
    assert_int_equal(f.far_mtime_ns, -5);
    gn_fetched_clear(&f);
    put(k, s, "out\xff.bin", 'c', id);
    ok(k, gn_store_forget(s, id, &k->err));
    ok(k, gn_store_get_fetched(s, "/home/s1/p", "out\xff.bin", &f, &k->err));
    assert_int_equal(f.hash[0], 'c');
    assert_string_equal(f.run_name, "p-1");
    gn_fetched_clear(&f);
    ok(k, gn_store_get_fetched_by(s, id + 1, "/home/s1/p", "out\xff.bin", &f, &k->err));
    assert_int_equal(f.hash[0], 'b');
    gn_fetched_clear(&f);
    assert_int_equal(gn_store_get_fetched_by(s, 99, "/home/s1/p", "out\xff.bin", &f, &k->err),
                     GN_E_NOTFOUND);
    assert_int_equal(gn_store_get_fetched(s, "/home/s1", "out", &f, &k->err), GN_E_NOTFOUND);
    gn_store_close(s);
}

/* Of many fetches into one folder, in batches, by several runs in turn. */
static void the_last_writer_of_each_file_is_found(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    int64_t last[20] = {0};
    unsigned seed = 7;

    for (int round = 1; round <= 60; round++) {
        ok(k, gn_store_begin(s, &k->err));
        for (int i = 0; i < 20; i++) {
            char path[16];

            seed = seed * 1103515245U + 12345;
            if (seed >> 16 & 3)
                continue;
            snprintf(path, sizeof path, "f%d", i);
            last[i] = 1 + round * 5 % 7;
            put(k, s, path, (char)('0' + round), last[i]);
        }
        ok(k, gn_store_end(s, &k->err));
    }
    for (int i = 0; i < 20; i++) {
        struct gn_fetched_file f = {0};
        char path[16];

        snprintf(path, sizeof path, "f%d", i);
        assert_true(last[i]);
        ok(k, gn_store_get_fetched(s, "/home/s1/p", path, &f, &k->err));
        assert_int_equal(f.run_id, last[i]);
        gn_fetched_clear(&f);
    }
    gn_store_close(s);
}

static void records_of_format_1_are_kept(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct gn_fetched_file f = {0};
    bool any = false;

    ok(k, gn_db_run(
              s->db,
              "DROP TABLE leases; DROP TABLE fetched; DROP TABLE fetches; DROP INDEX runs_sweep;"
              "ALTER TABLE runs DROP COLUMN sweep; ALTER TABLE runs DROP COLUMN member;"
              "ALTER TABLE runs DROP COLUMN params; ALTER TABLE runs DROP COLUMN members;"
              "ALTER TABLE runs DROP COLUMN members_over;"
              "ALTER TABLE runs DROP COLUMN members_ok;"
              "CREATE TABLE fetched_files("
              "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
              "  dest TEXT NOT NULL, path TEXT NOT NULL, run_id INTEGER NOT NULL,"
              "  run_name TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL,"
              "  far_mtime_ns INTEGER NOT NULL, far_ctime_ns INTEGER NOT NULL,"
              "  UNIQUE(dest, path, run_id));"
              "INSERT INTO fetched_files VALUES(1, '/p', 'a', 1, 'p-1', 'h1', 1, 2, 3),"
              "  (2, '/p', 'a', 2, 'p-2', 'h2', 4, 5, 6), (3, '/p', 'b', 1, 'p-1', 'h3', 7, 8, 9),"
              "  (4, '/q', 'a', 1, 'p-1', 'h4', 1, 1, 1);"
              "PRAGMA user_version=1",
              &k->err));
    gn_store_close(s);
    s = open_store(k);
    ok(k, gn_store_get_fetched(s, "/p", "a", &f, &k->err));
    assert_string_equal(f.hash, "h2");
    assert_string_equal(f.run_name, "p-2");
    assert_int_equal(f.far_ctime_ns, 6);
    gn_fetched_clear(&f);
    ok(k, gn_store_get_fetched_by(s, 1, "/p", "a", &f, &k->err));
    assert_string_equal(f.hash, "h1");
    gn_fetched_clear(&f);
    ok(k, gn_store_has_fetched(s, 1, "/q", &any, &k->err));
    assert_true(any);
    ok(k, gn_store_has_fetched(s, 2, "/q", &any, &k->err));
    assert_false(any);
    gn_store_close(s);
}

static int count_member(const struct gn_run *r, void *arg, struct gn_err *err)
{
    int64_t *n = arg;

    (void)err;
    assert_int_equal(r->member, ++*n);
    return GN_OK;
}

static int count_run(const struct gn_run *r, void *arg, struct gn_err *err)
{
    (void)err;
    assert_true(strcmp(r->name, "mnist-1") == 0 || strcmp(r->name, "mnist-2") == 0);
    ++*(int64_t *)arg;
    return GN_OK;
}

/* Lists and counts are of what the user started; members are found by their own names. */
static void a_sweep_is_one_run_with_members(void **state)
{
    enum { N = 130 };
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    struct gn_run r = kit_run("mnist", "/a"), got = {0}, *m = gn_calloc(N, sizeof *m);
    int64_t n = 0;

    create(k, s, "mnist", "/a", "mnist-1");
    for (size_t i = 0; i < N; i++) {
        m[i] = kit_run("mnist", "/a");
        m[i].params = gn_printf("lr=%zu", i);
    }
    r.members = N;
    ok(k, gn_store_create_sweep(s, &r, m, N, &k->err));
    assert_string_equal(r.name, "mnist-2");
    ok(k, gn_store_members(s, r.id, count_member, &n, &k->err));
    assert_int_equal(n, N);
    ok(k, gn_store_find(s, "mnist-2.130", NULL, &got, &k->err));
    assert_string_equal(got.params, "lr=129");
    assert_int_equal(got.sweep, r.id);
    assert_int_equal(strncmp(got.token, r.token, strlen(r.token)), 0);
    assert_string_equal(got.token + strlen(r.token), ".130");
    gn_run_clear(&got);
    ok(k, gn_store_find(s, "2.7", "/a", &got, &k->err));
    assert_string_equal(got.name, "mnist-2.7");
    gn_run_clear(&got);
    ok(k, gn_store_find(s, NULL, "/a", &got, &k->err));
    assert_string_equal(got.name, "mnist-2");
    assert_int_equal(got.members, N);
    gn_run_clear(&got);
    assert_int_equal(gn_store_find(s, "mnist-2.131", "/a", &got, &k->err), GN_E_NOTFOUND);
    assert_int_equal(gn_store_find(s, "0", "/a", &got, &k->err), GN_E_NOTFOUND);

    n = 0;
    ok(k, gn_store_each(s, NULL, 0, count_run, &n, &k->err));
    ok(k, gn_store_list(s, -1, count_run, &n, &k->err));
    ok(k, gn_store_list(s, 5, count_run, &n, &k->err));
    assert_int_equal(n, 6);
    ok(k, gn_store_count(s, &n, &k->err));
    assert_int_equal(n, 2);
    create(k, s, "mnist", "/a", "mnist-3");

    ok(k, gn_store_forget(s, r.id, &k->err));
    n = 0;
    ok(k, gn_store_members(s, r.id, count_member, &n, &k->err));
    assert_int_equal(n, 0);
    ok(k, gn_store_count(s, &n, &k->err));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < N; i++)
        gn_run_clear(&m[i]);
    free(m);
    gn_run_clear(&r);
    gn_store_close(s);
}

static void a_batch_is_whole_or_absent(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k), *other = open_store(k);
    struct gn_run got = {0};

    ok(k, gn_store_begin(s, &k->err));
    assert_int_equal(gn_store_begin(s, &k->err), GN_E_BUG);
    create(k, s, "mnist", "/a", "mnist-1");
    assert_int_equal(gn_store_find(other, "mnist-1", NULL, &got, &k->err), GN_E_NOTFOUND);
    gn_store_close(s); /* without an end */
    assert_int_equal(gn_store_find(other, "mnist-1", NULL, &got, &k->err), GN_E_NOTFOUND);
    assert_int_equal(gn_store_end(other, &k->err), GN_E_BUG);
    ok(k, gn_store_begin(other, &k->err));
    create(k, other, "mnist", "/a", "mnist-1");
    ok(k, gn_store_end(other, &k->err));
    ok(k, gn_store_find(other, "mnist-1", NULL, &got, &k->err));
    gn_run_clear(&got);
    gn_store_close(other);
}

static mode_t mode_of(const char *path)
{
    struct stat sb;

    assert_int_equal(stat(path, &sb), 0);
    return sb.st_mode & 07777;
}

static void the_file_is_ours_alone_whatever_the_umask(void **state)
{
    struct kit *k = *state;
    const mode_t masks[] = {0, 0777, 022};
    char wal[160];

    snprintf(wal, sizeof wal, "%s-wal", k->db);
    for (size_t i = 0; i < 3; i++) {
        mode_t old = umask(i == 1 ? 0277 : masks[i]);
        struct gn_store *s = open_store(k);

        umask(old);
        create(k, s, "p", "/a", NULL);
        assert_int_equal(mode_of(k->state), 0700);
        assert_int_equal(mode_of(k->db), 0600);
        assert_int_equal(mode_of(wal), 0600);
        gn_store_close(s);
        kit_remove(k->state);
    }
    gn_store_close(open_store(k));
    assert_int_equal(chmod(k->db, 0644), 0); /* as left by somebody else */
    assert_int_equal(chmod(k->state, 0755), 0);
    gn_store_close(open_store(k));
    assert_int_equal(mode_of(k->state), 0700);
    assert_int_equal(mode_of(k->db), 0600);
}

/* user_version stands in bytes 60 to 63 of the file, big-endian. */
static void write_at(const char *path, off_t at, const void *data, size_t n)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, n, at), (ssize_t)n);
    close(fd);
}

static void a_file_of_a_newer_gnrrun_is_refused(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);

    create(k, s, "p", "/a", "p-1");
    gn_store_close(s);
    write_at(k->db, 60, "\0\0\0\x63", 4);
    assert_int_equal(gn_store_open(&k->ctx, &s, &k->err), GN_E_FAIL);
    assert_non_null(strstr(k->err.msg, "newer gnrrun (format 99"));
    assert_true(k->err.hint[0]);
    write_at(k->db, 60, "\xff\xff\xff\xff", 4);
    assert_int_equal(gn_store_open(&k->ctx, &s, &k->err), GN_E_FAIL);
}

static void damage_is_said_and_survived(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    char junk[4096];
    struct stat sb;

    for (int i = 0; i < 50; i++)
        create(k, s, "p", "/a", NULL);
    ok(k, gn_store_check(s, &k->err));
    gn_store_close(s);
    assert_int_equal(stat(k->db, &sb), 0);
    memset(junk, 0xa5, sizeof junk);
    for (off_t at = 4096; at < sb.st_size; at += (off_t)sizeof junk)
        write_at(k->db, at, junk, sizeof junk);
    if (gn_store_open(&k->ctx, &s, &k->err) == GN_OK) {
        struct gn_run got = {0};

        assert_int_not_equal(gn_store_check(s, &k->err), GN_OK);
        assert_int_equal(gn_store_find(s, "p-3", NULL, &got, &k->err), GN_E_FAIL);
        assert_non_null(strstr(k->err.msg, "damaged"));
        assert_true(k->err.hint[0]);
        gn_store_close(s);
    }
    write_at(k->db, 0, junk, sizeof junk);
    assert_int_equal(gn_store_open(&k->ctx, &s, &k->err), GN_E_FAIL);
    assert_non_null(strstr(k->err.msg, "damaged or not a file of gnrrun's"));
    unlink(k->db);
    assert_int_equal(mkdir(k->db, 0700), 0);
    assert_int_equal(gn_store_open(&k->ctx, &s, &k->err), GN_E_FAIL);
    rmdir(k->db);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int count(const struct gn_run *r, void *arg, struct gn_err *err)
{
    (void)r;
    (void)err;
    ++*(int *)arg;
    return GN_OK;
}

static void the_newest_of_ten_thousand_come_at_once(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = open_store(k);
    int64_t t0, t1;
    int n = 0;

    ok(k, gn_store_begin(s, &k->err));
    for (int i = 0; i < 10000; i++)
        create(k, s, "p", i % 100 ? "/a" : "/rare", NULL);
    ok(k, gn_store_end(s, &k->err));
    gn_store_close(s);
    t0 = now_ms();
    s = open_store(k);
    ok(k, gn_store_each(s, NULL, 20, count, &n, &k->err));
    ok(k, gn_store_each(s, "/rare", 20, count, &n, &k->err));
    gn_store_close(s);
    t1 = now_ms();
    assert_int_equal(n, 40);
    print_message("opening and 2 x 20 of 10,000: %d ms\n", (int)(t1 - t0));
    assert_true(t1 - t0 < 500); /* a full scan per row would be far above; this is no benchmark */
}

static void a_network_file_system_gets_no_wal(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = NULL, *other = NULL;
    struct gn_run got = {0};
    char wal[160];

    assert_true(gn_place_is_network_type(0x6969));
    assert_false(gn_place_is_network_type(0xef53)); /* ext4 */
    snprintf(wal, sizeof wal, "%s-wal", k->db);
    gn_store_close(open_store(k)); /* made with WAL, then the folder moved */
    ok(k, gn_store_open_as(&k->ctx, false, &s, &k->err));
    ok(k, gn_store_open_as(&k->ctx, false, &other, &k->err));
    create(k, s, "p", "/a", "p-1");
    create(k, other, "p", "/a", "p-2");
    assert_int_equal(access(wal, F_OK), -1);
    ok(k, gn_store_set_shown(s, 1, 5, &k->err));
    gn_store_close(s);
    gn_store_close(other);
    s = open_store(k); /* and back */
    create(k, s, "p", "/a", "p-3");
    assert_int_equal(access(wal, F_OK), 0);
    ok(k, gn_store_find(s, "p-1", NULL, &got, &k->err));
    assert_int_equal(got.shown_bytes, 5);
    gn_run_clear(&got);
    gn_store_close(s);
}

static void the_path_of_a_run_is_beside_the_store(void **state)
{
    struct kit *k = *state;
    char name[] = "mnist-7";
    struct gn_run r = {.name = name};
    char *p = gn_store_path(&k->ctx, &r, "log");

    assert_memory_equal(p, k->state, strlen(k->state));
    assert_string_equal(p + strlen(k->state), "/runs/mnist-7/log");
    free(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(a_run_is_read_back_as_it_was_written),
        T(names_count_per_project_and_are_never_used_again),
        T(a_bad_project_name_is_our_bug),
        T(advance_never_wakes_an_ended_run),
        T(advance_leaves_every_state_but_the_last_ones),
        T(an_update_does_not_unshow_and_knows_a_forgotten_run),
        T(a_run_is_found_by_name_number_note_or_as_the_newest),
        T(a_list_has_what_goes_on_and_the_newest_that_ended),
        T(each_gives_the_newest_first_and_stops_when_told),
        T(the_last_fetch_of_a_file_is_known_also_after_its_run_is_forgotten),
        T(a_sweep_is_one_run_with_members),
        T(a_batch_is_whole_or_absent),
        T(the_file_is_ours_alone_whatever_the_umask),
        T(the_last_writer_of_each_file_is_found),
        T(records_of_format_1_are_kept),
        T(a_file_of_a_newer_gnrrun_is_refused),
        T(damage_is_said_and_survived),
        T(the_newest_of_ten_thousand_come_at_once),
        T(a_network_file_system_gets_no_wal),
        T(the_path_of_a_run_is_beside_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
