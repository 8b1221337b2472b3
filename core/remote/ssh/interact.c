/*
 * interact.c - what only a person can answer: passwords and one-time codes.
 *
 * Each is asked once.  A refusal is final: sites lock accounts after a few.
 */
#include "ssh_private.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX  20
#define PROMPTS_MAX 20
#define ANSWER_MAX  1024

int gn_login_leave(struct gn_login *l, struct gn_err *err)
{
    bool nobody = l->opts->nobody_there || l->hop->conf.batch_mode || l->ctx->alone;

    if (!nobody && !l->opts->person)
        return GN_OK;
    gn_err_set(err, GN_E_AUTH, "'%s' wants an answer from a person", l->hop->who);
    if (!nobody)
        *l->opts->person = true;
    else if (l->opts->nobody_there)
        gn_err_hint(err, "attach again from a terminal: gnrrun attach");
    else
        gn_err_hint(err, l->hop->conf.batch_mode
                             ? "BatchMode is set in the ssh configuration"
                             : "there is no terminal to ask; a key in ssh-agent needs none");
    return err->code;
}

int gn_login_ask(struct gn_login *l, const struct gn_question *q, struct gn_buf *answer,
                 struct gn_err *err)
{
    int rc = gn_login_leave(l, err);

    if (rc)
        return rc;
    rc = l->ctx->ask(l->ctx, q, answer, err);
    if (rc == GN_OK && gn_buf_over(answer))
        rc = gn_err_set(err, GN_E_LIMIT, "the answer is too long");
    return rc;
}

static int step_kbdint(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_userauth_kbdint(h->session, NULL, NULL);
}

static int answer_prompt(struct gn_login *l, unsigned i, const char *intro, struct gn_err *err)
{
    ssh_session s = l->hop->session;
    struct gn_buf answer = GN_BUF_INIT(ANSWER_MAX), text = GN_BUF_INIT((size_t)64 << 10);
    struct gn_question q = {.without = "a key in ssh-agent, or --jump through a host that needs "
                                       "no answers"};
    char echo = 0;
    const char *prompt = ssh_userauth_kbdint_getprompt(s, i, &echo);
    size_t len = prompt ? strlen(prompt) : 0;
    int rc;

    gn_buf_addf(&text, "(%s) %s", l->hop->who, intro);
    /* Menus come as one prompt of several lines: keep the lines, escape the rest. */
    for (size_t at = 0; at < len;) {
        size_t n = strcspn(prompt + at, "\n");

        gn_buf_addsafe(&text, prompt + at, n, 1000);
        at += n;
        if (at < len && prompt[at++] == '\n')
            gn_buf_addc(&text, '\n');
    }
    q.prompt = text.ptr;
    q.echo = echo != 0;
    rc = gn_login_ask(l, &q, &answer, err);
    if (rc == GN_OK) {
        l->asked = true;
        if (ssh_userauth_kbdint_setanswer(s, i, answer.ptr) != SSH_OK)
            rc = gn_err_set(err, GN_E_FAIL, "cannot hand over the answer");
    }
    gn_wipe(&answer);
    gn_buf_clear(&text);
    return rc;
}

static int answer_round(struct gn_login *l, struct gn_err *err)
{
    ssh_session s = l->hop->session;
    int n = ssh_userauth_kbdint_getnprompts(s), rc = GN_OK;
    const char *name = ssh_userauth_kbdint_getname(s);
    const char *more = ssh_userauth_kbdint_getinstruction(s);
    char *a = gn_ssh_safe(name ? name : "", 500), *b = gn_ssh_safe(more ? more : "", 2000);
    char *intro = gn_printf("%s%s%s%s", a, *a ? "\n" : "", b, *b ? "\n" : "");

    if (n > PROMPTS_MAX)
        rc = gn_err_set(err, GN_E_PROTO, "'%s' asks %d questions at once", l->hop->who, n);
    for (int i = 0; rc == GN_OK && i < n; i++)
        rc = answer_prompt(l, (unsigned)i, i == 0 ? intro : "", err);
    free(a);
    free(b);
    free(intro);
    return rc;
}

int gn_login_kbdint(struct gn_login *l, int *result, struct gn_err *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int rc = gn_hop_step(l->hop, step_kbdint, NULL, SSH_AUTH_AGAIN, result, l->ctx, err);

        if (rc != GN_OK || *result != SSH_AUTH_INFO)
            return rc;
        rc = answer_round(l, err);
        if (rc != GN_OK)
            return rc;
    }
    return gn_err_set(err, GN_E_PROTO, "'%s' does not stop asking", l->hop->who);
}

static int step_password(struct gn_hop *h, void *arg)
{
    return ssh_userauth_password(h->session, NULL, arg);
}

int gn_login_password(struct gn_login *l, int *result, struct gn_err *err)
{
    struct gn_buf answer = GN_BUF_INIT(ANSWER_MAX);
    char *prompt = gn_printf("Password for %s: ", l->hop->who);
    struct gn_question q = {.prompt = prompt, .without = "a key: ssh-copy-id, then ssh-agent"};
    int rc = gn_login_ask(l, &q, &answer, err);

    if (rc == GN_OK) {
        l->asked = true;
        rc = gn_hop_step(l->hop, step_password, answer.ptr, SSH_AUTH_AGAIN, result, l->ctx, err);
    }
    gn_wipe(&answer);
    free(prompt);
    return rc;
}
