/* test_store_crash.c - two at once, death at any instant, a disk that is full. */
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kit.h"

#define EACH 100 /* runs of each of two processes */

/* In the child: no cmocka, no output, its exit status is the answer. */
static int create_many(const struct kit *k, int n, int done_fd)
{
    struct gn_store *s = NULL;
    struct gn_err err = GN_ERR_INIT;
    int rc = gn_store_open(&k->ctx, &s, &err);

    for (int i = 0; !rc && i < n; i++) {
        struct gn_run r = kit_run("p", "/a");

        rc = gn_store_create(s, &r, &err);
        if (!rc && done_fd >= 0 && write(done_fd, &r.id, sizeof r.id) != sizeof r.id)
            rc = GN_E_SYS;
        gn_run_clear(&r);
    }
    if (rc)
        dprintf(STDERR_FILENO, "child: %s\n", err.msg);
    gn_store_close(s);
    return rc ? 1 : 0;
}

static pid_t spawn(const struct kit *k, int n, int done_fd)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(create_many(k, n, done_fd));
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct tally {
    int n;
    char seen[4 * EACH + 1];
};

static int tally(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct tally *t = arg;
    int n = atoi(r->name + 2);

    (void)err;
    assert_true(n >= 1 && n <= 4 * EACH);
    assert_false(t->seen[n]);
    t->seen[n] = 1;
    t->n++;
    return GN_OK;
}

static void two_at_once_from_nothing_give_unique_names(void **state)
{
    struct kit *k = *state;
    struct gn_store *s = NULL;
    struct tally t = {0};
    pid_t a = spawn(k, EACH, -1), b = spawn(k, EACH, -1);

    assert_int_equal(wait_for(a), 0);
    assert_int_equal(wait_for(b), 0);
    ok(k, gn_store_open(&k->ctx, &s, &k->err));
    ok(k, gn_store_each(s, NULL, 0, tally, &t, &k->err));
    assert_int_equal(t.n, 2 * EACH);
    for (int i = 1; i <= 2 * EACH; i++)
        assert_true(t.seen[i]);
    ok(k, gn_store_check(s, &k->err));
    gn_store_close(s);
}

static void many_at_once_make_the_file(void **state)
{
    struct kit *k = *state;
    pid_t pids[8];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 8; i++)
            pids[i] = spawn(k, 1, -1);
        for (int i = 0; i < 8; i++)
            assert_int_equal(wait_for(pids[i]), 0);
        kit_remove(k->state);
    }
}

static int whole(const struct gn_run *r, void *arg, struct gn_err *err)
{
    (void)err;
    assert_string_equal(r->command, "python3 train.py --epochs 10");
    assert_string_equal(r->spec, "{\"a\":1}");
    assert_true(strlen(r->token) > 16);
    ++*(int *)arg;
    return GN_OK;
}

/* Bytes a dead child had written to the pipe: ids of runs that it was told are safe. */
static int64_t drain(int fd, int64_t last)
{
    int64_t id;

    while (read(fd, &id, sizeof id) == sizeof id)
        last = id;
    return last;
}

static void a_writer_killed_at_any_moment_loses_nothing_it_was_promised(void **state)
{
    struct kit *k = *state;
    int64_t promised = 0;
    unsigned seed = (unsigned)time(NULL);

    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 40; round++) {
        struct timespec nap = {.tv_nsec = (rand() % 30000) * 1000L};
        struct gn_run last = {0};
        struct gn_store *s = NULL;
        int fds[2], n = 0;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = spawn(k, 100000, fds[1]);
        close(fds[1]);
        if (round % 2) /* while it writes; else also while it opens */
            assert_int_equal(poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 20000), 1);
        nanosleep(&nap, NULL); /* the random moment */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(wait_for(pid), -SIGKILL);
        promised = drain(fds[0], promised);
        close(fds[0]);

        ok(k, gn_store_open(&k->ctx, &s, &k->err));
        ok(k, gn_store_check(s, &k->err));
        ok(k, gn_store_each(s, NULL, 0, whole, &n, &k->err));
        assert_true(n >= promised);
        if (promised) {
            ok(k, gn_store_find(s, NULL, "/a", &last, &k->err));
            assert_true(last.id >= promised);
            gn_run_clear(&last);
        }
        gn_store_close(s);
    }
    assert_true(promised > 0);
    print_message("%d runs promised in 40 deaths\n", (int)promised);
}

/* In a child, since a limit on file sizes cannot be taken back by everybody. */
static int fill_up(const struct kit *k)
{
    const struct rlimit small = {.rlim_cur = 300 << 10, .rlim_max = RLIM_INFINITY};
    const struct rlimit wide = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    struct gn_err err = GN_ERR_INIT;
    struct gn_store *s = NULL;
    int rc, made = 0, n = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (gn_store_open(&k->ctx, &s, &err) || setrlimit(RLIMIT_FSIZE, &small))
        return 10;
    do {
        struct gn_run r = kit_run("p", "/a");

        rc = gn_store_create(s, &r, &err);
        made += rc == GN_OK;
        gn_run_clear(&r);
    } while (!rc && made < 5000);
    if (rc != GN_E_CAPACITY || !strstr(err.msg, k->db)) {
        dprintf(STDERR_FILENO, "after %d: %d %s\n", made, rc, err.msg);
        return 11;
    }
    if (gn_store_each(s, NULL, 0, whole, &n, &err) || n != made)
        return 12;
    if (setrlimit(RLIMIT_FSIZE, &wide)) /* somebody made room */
        return 13;
    {
        struct gn_run r = kit_run("p", "/a");

        rc = gn_store_create(s, &r, &err);
        gn_run_clear(&r);
    }
    if (rc || gn_store_check(s, &err))
        return 14;
    gn_store_close(s);
    return 0;
}

static void a_full_disk_is_said_and_loses_nothing(void **state)
{
    struct kit *k = *state;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fill_up(k));
    assert_int_equal(wait_for(pid), 0);
}

/* A batch on a full disk: its end says so, and nothing of it is there. */
static int fill_batch(const struct kit *k)
{
    const struct rlimit small = {.rlim_cur = 200 << 10, .rlim_max = RLIM_INFINITY};
    struct gn_err err = GN_ERR_INIT;
    struct gn_store *s = NULL;
    int rc, n = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (gn_store_open(&k->ctx, &s, &err) || setrlimit(RLIMIT_FSIZE, &small))
        return 10;
    if (gn_store_begin(s, &err))
        return 11;
    rc = GN_OK;
    for (int i = 0; !rc && i < 20000; i++) {
        struct gn_run r = kit_run("p", "/a");

        rc = gn_store_create(s, &r, &err);
        gn_run_clear(&r);
    }
    if (gn_store_end(s, &err) == GN_OK)
        return 12;
    if (gn_store_each(s, NULL, 0, whole, &n, &err) || n != 0)
        return 13;
    gn_store_close(s);
    return 0;
}

static void a_batch_on_a_full_disk_fails_as_a_whole(void **state)
{
    struct kit *k = *state;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fill_batch(k));
    assert_int_equal(wait_for(pid), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(two_at_once_from_nothing_give_unique_names),
        T(many_at_once_make_the_file),
        T(a_writer_killed_at_any_moment_loses_nothing_it_was_promised),
        T(a_full_disk_is_said_and_loses_nothing),
        T(a_batch_on_a_full_disk_fails_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
