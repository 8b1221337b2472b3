#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"

#define ALONE_BELOW ((size_t)500) /* so few names are sooner seen than a thread is started */

/* --- the crew ----------------------------------------------------------------------------------- */

static void *take_tasks(void *arg);

/* The others, with the lock held; the caller of it all goes on as the first. */
static void start_others(struct gn_crew *c)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; c->started < c->n; c->started++) {
        struct gn_walker *w = &c->w[c->started];

        if (pthread_create(&w->thread, NULL, take_tasks, w) != 0)
            break;
        w->started = true;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* With the lock held. */
static void call_others(struct gn_walker *w)
{
    struct gn_crew *c = w->crew;

    if (w == c->w && c->started < c->n && atomic_load(&c->n_listed) >= ALONE_BELOW)
        start_others(c);
    if (c->idle)
        pthread_cond_broadcast(&c->more);
}

/* Take tasks until there are none and nobody is at one that could bring more. */
static void *take_tasks(void *arg)
{
    struct gn_walker *w = arg;
    struct gn_crew *c = w->crew;

    pthread_mutex_lock(&c->lock);
    for (;;) {
        struct gn_task t;

        while (!c->n_todo && c->busy && !c->stop) {
            c->idle++;
            pthread_cond_wait(&c->more, &c->lock);
            c->idle--;
        }
        if (!c->n_todo || c->stop)
            break;
        t = c->todo[--c->n_todo];
        c->busy++;
        pthread_mutex_unlock(&c->lock);
        w->rc = c->work(w, t, &w->err);
        pthread_mutex_lock(&c->lock);
        c->busy--;
        if (w->rc)
            c->stop = true;
        else if (c->n_todo)
            call_others(w);
    }
    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void add_task(struct gn_crew *c, struct gn_task t)
{
    GN_GROW(c->todo, c->n_todo, c->cap_todo);
    c->todo[c->n_todo++] = t;
}

void gn_crew_add(struct gn_walker *w, struct gn_task t, size_t n)
{
    pthread_mutex_lock(&w->crew->lock);
    while (n--)
        add_task(w->crew, t);
    call_others(w);
    pthread_mutex_unlock(&w->crew->lock);
}

void gn_crew_add_folders(struct gn_walker *w, struct gn_folder *list)
{
    struct gn_crew *c = w->crew;

    pthread_mutex_lock(&c->lock);
    while (list) {
        struct gn_folder *next = list->older;

        list->older = c->all;
        c->all = list;
        add_task(c, (struct gn_task){list, false});
        list = next;
    }
    call_others(w);
    pthread_mutex_unlock(&c->lock);
}

/* Do all that there is to do, the caller's thread being one of them. */
static int run_crew(struct gn_crew *c,
                    int (*work)(struct gn_walker *w, struct gn_task t, struct gn_err *err),
                    struct gn_err *err)
{
    int rc = GN_OK;

    c->work = work;
    c->started = 1;
    add_task(c, (struct gn_task){c->root, false});
    take_tasks(&c->w[0]);
    for (size_t i = 0; i < GN_WALKERS_MAX; i++) {
        struct gn_walker *w = &c->w[i];

        if (w->started)
            pthread_join(w->thread, NULL);
        w->started = false;
        if (!rc && w->rc) {
            rc = w->rc;
            *err = w->err;
        }
    }
    return rc;
}

static void crew_open(struct gn_crew *c, struct gn_scan *s, struct gn_guard *guard)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *c = (struct gn_crew){.scan = s, .n = cores > 1 ? (size_t)cores : 1};
    c->n = c->n > GN_WALKERS_MAX ? GN_WALKERS_MAX : c->n;
    c->w = gn_calloc(GN_WALKERS_MAX, sizeof *c->w);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    for (size_t i = 0; i < GN_WALKERS_MAX; i++) {
        struct gn_walker *w = &c->w[i];

        w->crew = c;
        w->guard = guard;
        w->arena = gn_arena_new();
        w->strings = gn_arena_new();
        w->text = (struct gn_buf)GN_BUF_INIT(UINT32_MAX);
        w->err = (struct gn_err)GN_ERR_INIT;
        gn_cache_reader_init(&w->cached, &s->cache);
    }
    c->root = c->all = gn_arena_items(c->w[0].arena, 1, sizeof *c->root);
    *c->root = (struct gn_folder){.name = ""};
}

static void crew_close(struct gn_crew *c)
{
    for (struct gn_folder *f = c->all; f; f = f->older) {
        gn_rules_leave(f->rules);
        if (f->dir)
            closedir(f->dir);
    }
    for (size_t i = 0; i < GN_WALKERS_MAX; i++) {
        struct gn_walker *w = &c->w[i];

        gn_arena_free(w->arena);
        gn_arena_free(w->strings);
        gn_buf_clear(&w->text);
        gn_cache_reader_clear(&w->cached);
        free(w->names);
        free(w->spare);
        free(w->seen);
        free(w->open);
        free(w->todo);
    }
    gn_strs_clear(&c->odd);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->more);
    free(c->todo);
    free(c->w);
}

/* --- from folders to entries --------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Only this thread may tell the ctx's owner. */
static void tell_odd(struct gn_crew *c)
{
    char shown[GN_SHOWN];

    if (c->odd.n)
        qsort(c->odd.v, c->odd.n, sizeof *c->odd.v, by_text);
    for (size_t i = 0; i < c->odd.n; i++)
        gn_event_text(c->scan->ctx, GN_EV_WARN, "'%s' is a socket, FIFO or device: left out",
                      gn_shown(c->odd.v[i], shown));
}

/* How much is in each folder: those above are older. */
static void count_all(struct gn_crew *c)
{
    for (struct gn_folder *f = c->all; f; f = f->older)
        if (f->above && !f->left_out)
            atomic_fetch_add(&f->above->total, atomic_load(&f->total) + 1);
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* What each thread has found out. */
static void add_up(struct gn_crew *c)
{
    struct gn_scan *s = c->scan;

    for (size_t i = 0; i < GN_WALKERS_MAX; i++)
        s->n_todo += c->w[i].n_todo;
    s->todo = gn_realloc(NULL, s->n_todo, sizeof *s->todo);
    s->n_todo = 0;
    for (size_t i = 0; i < GN_WALKERS_MAX; i++) {
        struct gn_walker *w = &c->w[i];

        if (w->n_todo)
            memcpy(s->todo + s->n_todo, w->todo, w->n_todo * sizeof *w->todo);
        s->n_todo += w->n_todo;
        s->m->bytes += w->bytes;
        s->stored += w->stored;
        s->known += w->known;
        gn_secrets_join(&s->secrets, &w->secrets);
        gn_arena_merge(s->m->arena, w->strings);
        w->strings = NULL;
    }
    if (s->n_todo)
        qsort(s->todo, s->n_todo, sizeof *s->todo, by_index);
}

static int place_all(struct gn_crew *c, struct gn_err *err)
{
    struct gn_manifest *m = c->scan->m;
    int rc;

    count_all(c);
    m->n = atomic_load(&c->root->total);
    m->v = gn_realloc(NULL, m->n + 1, sizeof *m->v);
    rc = run_crew(c, gn_folder_place, err);
    if (!rc)
        add_up(c);
    return rc;
}

static int walk_folder(struct gn_scan *s, struct gn_tree *tree, struct gn_rules *rules,
                       struct gn_guard *guard, struct gn_err *err)
{
    struct gn_crew c;
    int rc = GN_OK;

    crew_open(&c, s, guard);
    c.root->rules = gn_rules_stay(rules);
    c.root->kept = true;
    atomic_init(&c.root->users, 2); /* what is not kept open is found from there */
    c.root->dir = fdopendir(tree->root);
    if (c.root->dir)
        tree->root = -1;
    else
        rc = gn_err_sys(err, errno, "cannot open '%.300s'", s->opts->root);
    if (!rc)
        rc = run_crew(&c, gn_folder_read, err);
    if (!rc) {
        tell_odd(&c);
        rc = place_all(&c, err);
    }
    crew_close(&c);
    return rc;
}

/* The root is one file: its last name is its path. */
static int walk_file(struct gn_scan *s, struct gn_guard *guard, struct gn_err *err)
{
    struct stat st;
    struct gn_crew c;
    int rc;

    if (stat(s->opts->root, &st) < 0)
        return gn_err_sys(err, errno, "cannot look at '%.300s'", s->opts->root);
    if (!S_ISREG(st.st_mode))
        return gn_err_set(err, GN_E_FAIL, "'%.300s' is neither a file nor a folder", s->opts->root);
    crew_open(&c, s, guard);
    gn_folder_of_one(&c.w[0], c.root, gn_path_base(s->opts->root), &st);
    rc = place_all(&c, err);
    crew_close(&c);
    return rc;
}

int gn_scan_walk(struct gn_scan *s, struct gn_err *err)
{
    struct gn_tree tree = GN_TREE_INIT;
    struct gn_guard *guard = s->opts->everything ? NULL : gn_guard_new();
    struct gn_rules *rules = NULL;
    int rc = gn_tree_open(&tree, s->opts->root, err);

    if (!rc)
        rc = gn_rules_open(s->ctx, s->opts, &rules, err);
    if (!rc)
        rc = tree.root < 0 ? walk_file(s, guard, err) : walk_folder(s, &tree, rules, guard, err);
    gn_guard_free(guard);
    gn_rules_leave(rules);
    gn_tree_close(&tree);
    return rc;
}
