/*
 * sshcache.c - what `ssh -G` said, kept as long as nothing changed that it looked at.
 *
 * Two children that only print take as long as a whole login.  Their words are a function of the
 * configuration's text, of what was asked and of ssh itself, unless the configuration asks the
 * world: then nothing is kept.
 */
#include "sshcache.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "gnrrun/mem.h"
#include "sshread.h"
#include "sshtext.h"

#define FILES_MAX 64
#define DEPTH_MAX 16
#define MAGIC     "gn-ssh-G 1\n"

struct closure {
    struct gn_hash *hash;
    const char *home;
    size_t files;
    bool plain; /* it asks nothing of the world */
};

static void add(struct gn_hash *h, const char *text)
{
    gn_hash_add(h, text, strlen(text) + 1);
}

static void add_file(struct closure *c, const char *path, const char *dir, int depth);

/* Files of an Include, as ssh finds them. */
static void add_included(struct closure *c, const char *line, const char *dir, int depth)
{
    char *word;

    while ((word = gn_sshread_word(&line))) {
        char *home = gn_path_tilde(word, c->home), *path = gn_path_join(dir, home);
        glob_t g = {0};

        if (strchr(word, '%'))
            c->plain = false;
        add(c->hash, path);
        if (glob(path, 0, NULL, &g) == 0)
            for (size_t i = 0; i < g.gl_pathc && c->plain; i++)
                add_file(c, g.gl_pathv[i], dir, depth + 1);
        globfree(&g);
        free(path);
        free(home);
        free(word);
    }
}

/* Only criteria that depend on what was asked. */
static bool is_plain_match(const char *line)
{
    static const char *const known[] = {"all", "host", "originalhost", "user", "localuser"};
    bool plain = true, value = false;
    char *word;

    while ((word = gn_sshread_word(&line))) {
        bool found = value;

        for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
            found = strcasecmp(word, known[i]) == 0;
        plain = plain && found;
        value = !value && strcasecmp(word, "all") != 0;
        free(word);
    }
    return plain;
}

static void add_line(struct closure *c, const char *line, const char *dir, int depth)
{
    const char *p = line + strspn(line, " \t\r\f");
    size_t n = strcspn(p, " \t\r\f=\"");
    const char *rest = p + n + strspn(p + n, " \t\r\f=");

    if (!*p || *p == '#')
        return;
    if (n == 0 || strstr(p, "${"))
        c->plain = false;
    else if (n == 7 && strncasecmp(p, "include", 7) == 0)
        add_included(c, rest, dir, depth);
    else if (n == 5 && strncasecmp(p, "match", 5) == 0)
        c->plain = c->plain && is_plain_match(rest);
    else if (strncasecmp(p, "canonical", 9) == 0)
        c->plain = false;
}

static void add_file(struct closure *c, const char *path, const char *dir, int depth)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_err ignored = GN_ERR_INIT;
    char *save = NULL;

    if (depth > DEPTH_MAX || c->files++ >= FILES_MAX) {
        c->plain = false;
        return;
    }
    add(c->hash, path);
    if (gn_fs_read(path, &text, &ignored) == GN_OK) {
        gn_hash_add(c->hash, text.ptr ? text.ptr : "", text.len);
        for (char *line = text.len ? strtok_r(text.ptr, "\n", &save) : NULL; line && c->plain;
             line = strtok_r(NULL, "\n", &save))
            add_line(c, line, dir, depth);
    } else if (ignored.code != GN_E_NOTFOUND) {
        c->plain = false;
    }
    gn_buf_clear(&text);
}

/* The ssh that would be run: another one may say other things. */
static bool add_ssh(struct closure *c, const struct gn_ctx *ctx)
{
    const char *path = ctx->env(ctx, "PATH");

    while (path && *path) {
        size_t n = strcspn(path, ":");
        char *file = gn_printf("%.*s/ssh", (int)n, path);
        struct stat st;
        bool found = stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0;

        if (found) {
            int64_t id[4] = {(int64_t)st.st_ino, (int64_t)st.st_size, (int64_t)st.st_mtime,
                             (int64_t)st.st_ctime};

            add(c->hash, file);
            gn_hash_add(c->hash, id, sizeof id);
        }
        free(file);
        if (found)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

char *gn_sshcache_path(const struct gn_ctx *ctx, const char *file, const char *alias,
                       const char *user, int port)
{
    struct gn_pw room;
    const struct passwd *pw = gn_own_passwd(&room);
    struct closure c = {.hash = gn_hash_new(), .plain = pw != NULL};
    uint8_t hash[GN_HASH_LEN];
    char hex[GN_HASH_HEX], number[16];
    char *dir = gn_path_join(pw ? pw->pw_dir : "/", ".ssh");
    char *own = gn_path_join(dir, "config");

    c.home = pw ? pw->pw_dir : "/";
    snprintf(number, sizeof number, "%d", port);
    add(c.hash, alias);
    add(c.hash, user ? user : "");
    add(c.hash, number);
    add(c.hash, pw && pw->pw_name ? pw->pw_name : "");
    c.plain = c.plain && add_ssh(&c, ctx);
    if (c.plain)
        add_file(&c, file ? file : own, dir, 0);
    if (c.plain && !file)
        add_file(&c, "/etc/ssh/ssh_config", "/etc/ssh", 0);
    gn_hash_end(c.hash, hash);
    gn_hex(hash, 16, hex);
    gn_hash_free(c.hash);
    free(own);
    free(dir);
    return c.plain ? gn_printf("%s/ssh-%s", ctx->cache_dir, hex) : NULL;
}

bool gn_sshcache_get(const char *path, struct gn_buf *said)
{
    struct gn_err ignored = GN_ERR_INIT;

    if (gn_fs_read(path, said, &ignored) == GN_OK && said->len > strlen(MAGIC) &&
        memcmp(said->ptr, MAGIC, strlen(MAGIC)) == 0) {
        gn_buf_drop(said, strlen(MAGIC));
        return true;
    }
    gn_buf_reset(said);
    return false;
}

void gn_sshcache_put(const struct gn_ctx *ctx, const char *path, const struct gn_buf *said)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_err ignored = GN_ERR_INIT;

    gn_buf_adds(&text, MAGIC);
    gn_buf_add(&text, said->ptr, said->len);
    /* only a cache: without it ssh is asked again */
    if (!gn_buf_over(&text) && (gn_fs_mkdirs(ctx->cache_dir, 0700, &ignored) ||
                                gn_fs_replace(path, text.ptr, text.len, 0600, &ignored)))
        gn_event_text(ctx, GN_EV_DEBUG, "%s", ignored.msg);
    gn_buf_clear(&text);
}
