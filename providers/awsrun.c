#include "awsrun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/http.h"

#define SAY_MS   120000 /* it may ask the person for a code, on the terminal */
#define SAID_MAX ((size_t)64 << 10)

extern char **environ;

/* --- a program --- */

/* Its stderr is ours: it may be talking to whoever sits there. */
static int start(char *const argv[], int *fd, pid_t *pid, struct gn_err *err)
{
    posix_spawn_file_actions_t fa;
    int p[2], failed;

    if (pipe(p) < 0)
        return gn_err_sys(err, errno, "cannot make a pipe");
    fcntl(p[0], F_SETFD, FD_CLOEXEC);
    fcntl(p[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, p[1], 1);
    failed = posix_spawnp(pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    gn_fs_close(p[1]);
    if (failed) {
        gn_fs_close(p[0]);
        return gn_err_set(err, GN_E_AUTH, "cannot run it: %s", strerror(failed));
    }
    *fd = p[0];
    return GN_OK;
}

static int listen_to(const struct gn_ctx *ctx, int fd, struct gn_buf *said, struct gn_err *err)
{
    for (;;) {
        char *room = gn_buf_room(said, 4096);
        ssize_t n;
        int rc = room ? gn_wait_fd(ctx, fd, POLLIN, SAY_MS, err)
                      : gn_err_set(err, GN_E_AUTH, "it says too much");

        if (rc)
            return rc;
        n = read(fd, room, 4096);
        if (n == 0)
            return GN_OK;
        if (n < 0 && errno != EINTR)
            return gn_err_sys(err, errno, "cannot read what it says");
        gn_buf_commit(said, n > 0 ? (size_t)n : 0);
    }
}

static int run(const struct gn_ctx *ctx, char *const argv[], struct gn_buf *said,
               struct gn_err *err)
{
    int fd = -1, status = 0, rc;
    pid_t pid = 0;

    rc = start(argv, &fd, &pid, err);
    if (rc)
        return rc;
    rc = listen_to(ctx, fd, said, err);
    gn_fs_close(fd);
    if (rc)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == GN_E_TIMEOUT)
        return gn_err_set(err, GN_E_AUTH, "it does not end");
    if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status)))
        rc = gn_err_set(err, GN_E_AUTH, "it fails (status %d)",
                        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return rc;
}

static char *field(const struct gn_json *j, const char *key)
{
    const char *s = gn_json_get_str(j, key);

    return s && *s ? gn_strdup(s) : NULL;
}

/* Foreign text into headers: no line breaks. */
static bool is_clean(const char *s)
{
    if (!s)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return false;
    return true;
}

static int take(const struct gn_json *j, const char *id, const char *secret, const char *token,
                struct gn_aws_keys *out, struct gn_err *err)
{
    struct gn_aws_keys k = {
        .id = field(j, id), .secret = field(j, secret), .token = field(j, token)};

    if (!is_clean(k.id) || !is_clean(k.secret) || (k.token && !is_clean(k.token))) {
        gn_aws_keys_clear(&k);
        return gn_err_set(err, GN_E_AUTH, "there are no keys in what it says");
    }
    gn_aws_keys_clear(out);
    *out = k;
    return GN_OK;
}

int gn_aws_process(const struct gn_ctx *ctx, const char *profile, const char *command,
                   struct gn_aws_keys *out, struct gn_err *err)
{
    struct gn_strs words = GN_STRS_INIT;
    struct gn_buf said = GN_BUF_INIT(SAID_MAX);
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_json *j = NULL;
    const char *expires;
    int rc = GN_OK;

    if (!gn_aws_words(command, &words))
        rc = gn_err_set(err, GN_E_AUTH, "it is no command");
    gn_strs_take(&words, NULL);
    if (!rc)
        rc = run(ctx, words.v, &said, err);
    if (!rc && gn_json_parse(said.ptr, said.len, &j, &ignored))
        rc = gn_err_set(err, GN_E_AUTH, "what it says is no JSON");
    if (!rc && gn_json_get_int(j, "Version") != 1)
        rc = gn_err_set(err, GN_E_AUTH, "what it says is not of version 1");
    if (!rc)
        rc = take(j, "AccessKeyId", "SecretAccessKey", "SessionToken", out, err);
    expires = gn_json_get_str(j, "Expiration");
    if (!rc && expires)
        out->expires_s = gn_aws_time(expires);
    if (rc && rc != GN_E_CANCEL)
        gn_err_prefix(err, "credential_process of AWS profile '%.60s': ", profile);
    gn_json_free(j);
    gn_buf_wipe(&said);
    gn_strs_clear(&words);
    return rc;
}

/* --- single sign-on --- */

/* The files there are named by a hash of session or address; what is in them says which it is, too. */
static void look_into(const char *path, const struct gn_aws_profile *p, char **token,
                      int64_t *expires_s)
{
    struct gn_buf text = GN_BUF_INIT(SAID_MAX);
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_json *j = NULL;
    const char *url, *found, *until;

    if (gn_fs_read(path, &text, &ignored) == GN_OK &&
        gn_json_parse(text.ptr, text.len, &j, &ignored) == GN_OK) {
        url = gn_json_get_str(j, "startUrl");
        found = gn_json_get_str(j, "accessToken");
        until = gn_json_get_str(j, "expiresAt");
        if (url && found && until && strcmp(url, p->v[GN_AWS_SSO_URL]) == 0 && is_clean(found) &&
            gn_aws_time(until) > *expires_s) {
            gn_aws_wipe(*token);
            *token = gn_strdup(found);
            *expires_s = gn_aws_time(until);
        }
    }
    gn_json_free(j);
    gn_buf_wipe(&text);
}

static char *find_token(const struct gn_aws *a, const struct gn_aws_profile *p, int64_t now_s)
{
    DIR *d = opendir(a->sso_cache);
    int64_t expires_s = now_s + 60;
    char *token = NULL;

    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t n = strlen(e->d_name);
        char *path;

        if (n < 6 || strcmp(e->d_name + n - 5, ".json") != 0)
            continue;
        path = gn_path_join(a->sso_cache, e->d_name);
        look_into(path, p, &token, &expires_s);
        free(path);
    }
    if (d)
        closedir(d);
    return token;
}

static char *portal(const struct gn_aws *a, const struct gn_aws_profile *p)
{
    struct gn_buf url = GN_BUF_INIT(4096);

    if (a->endpoint)
        gn_buf_adds(&url, a->endpoint);
    else
        gn_buf_addf(&url, "https://portal.sso.%s.amazonaws.com", p->v[GN_AWS_SSO_REGION]);
    gn_buf_adds(&url, "/federation/credentials?role_name=");
    gn_url_add(&url, p->v[GN_AWS_SSO_ROLE]);
    gn_buf_adds(&url, "&account_id=");
    gn_url_add(&url, p->v[GN_AWS_SSO_ACCOUNT]);
    return gn_buf_detach(&url);
}

static int ask_portal(const struct gn_ctx *ctx, const char *url, const char *token,
                      struct gn_aws_keys *out, struct gn_err *err)
{
    struct gn_http_call c = {
        .method = "GET", .url = url, .what = "GetRoleCredentials", .safe = true};
    struct gn_http_answer answer = GN_HTTP_ANSWER_INIT;
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_json *j = NULL;
    const struct gn_json *got;
    char *header = gn_printf("x-amz-sso_bearer_token: %s", token);
    int rc;

    c.headers = (struct gn_strs){.v = &header, .n = 1};
    rc = gn_http(ctx, &c, &answer, err);
    gn_aws_wipe(header);
    if (!rc && gn_json_parse(answer.body.ptr, answer.body.len, &j, &ignored) &&
        answer.status == 200)
        rc = gn_err_set(err, GN_E_PROTO, "an answer that cannot be read");
    if (!rc && answer.status != 200) {
        const char *said = gn_json_get_str(j, "message");

        rc = gn_http_err(&answer, said ? said : "", err);
    }
    got = gn_json_get(j, "roleCredentials");
    if (!rc)
        rc = take(got, "accessKeyId", "secretAccessKey", "sessionToken", out, err);
    if (!rc)
        out->expires_s = gn_json_get_int(got, "expiration") / 1000;
    gn_json_free(j);
    gn_http_answer_clear(&answer);
    return rc;
}

static bool is_region(const char *s)
{
    return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

int gn_aws_sso(const struct gn_ctx *ctx, const struct gn_aws *a, const char *profile,
               const struct gn_aws_profile *p, struct gn_aws_keys *out, struct gn_err *err)
{
    char *token, *url;
    int rc;

    if (!p->v[GN_AWS_SSO_ACCOUNT] || !p->v[GN_AWS_SSO_ROLE] || !p->v[GN_AWS_SSO_REGION] ||
        !is_region(p->v[GN_AWS_SSO_REGION]))
        return gn_err_set(err, GN_E_AUTH,
                          "AWS profile '%.60s': sso_account_id, sso_role_name or sso_region is "
                          "missing",
                          profile);
    token = find_token(a, p, ctx->wall_s(ctx) + a->skew_s);
    if (!token) {
        gn_err_set(err, GN_E_AUTH, "AWS profile '%.60s': nobody is signed in", profile);
        return gn_err_hint(err, "aws sso login --profile %.60s", profile);
    }
    url = portal(a, p);
    rc = ask_portal(ctx, url, token, out, err);
    gn_aws_wipe(token);
    free(url);
    if (rc && rc != GN_E_CANCEL)
        gn_err_prefix(err, "AWS profile '%.60s': ", profile);
    if (rc == GN_E_AUTH)
        return gn_err_hint(err, "aws sso login --profile %.60s", profile);
    return rc;
}
