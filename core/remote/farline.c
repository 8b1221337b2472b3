/*
 * farline.c - what the lines of the far side say (far.h).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/far.h"

bool gn_far_field(const char *line, const char *key, char *out, size_t cap)
{
    size_t k = strlen(key);

    for (const char *p = strchr(line, ' '); p; p = strchr(p, ' ')) {
        size_t n;

        p++;
        if (strncmp(p, key, k) != 0 || p[k] != '=')
            continue;
        p += k + 1;
        n = strcspn(p, " ");
        if (n >= cap)
            return false;
        memcpy(out, p, n);
        out[n] = '\0';
        return true;
    }
    return false;
}

int64_t gn_far_number(const char *line, const char *key, int64_t otherwise)
{
    char text[32], *end;
    int64_t v;

    if (!gn_far_field(line, key, text, sizeof text) || !*text)
        return otherwise;
    v = strtoll(text, &end, 10);
    return *end ? otherwise : v;
}

/* A word of the far side that will be shown: letters, digits and a few marks, nothing else. */
static void copy_word(const char *line, const char *key, char *out, size_t cap)
{
    if (!gn_far_field(line, key, out, cap) || strcmp(out, "-") == 0)
        out[0] = '\0';
    for (char *p = out; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._:-", *p))
            *p = '?';
}

/* Free text, which ends the line. */
static void copy_text(const char *line, char *out, size_t cap)
{
    const char *text = strstr(line, " msg=");
    struct gn_buf safe = GN_BUF_INIT(4 * cap);

    if (text)
        gn_buf_addsafe(&safe, text + 5, strlen(text + 5), cap);
    snprintf(out, cap, "%s", safe.ptr);
    gn_buf_clear(&safe);
}

int gn_far_parse_status(const char *line, struct gn_far_status *out, struct gn_err *err)
{
    static const char *const names[] = {
        [GN_FAR_NONE] = "none",           [GN_FAR_PREPARED] = "prepared",
        [GN_FAR_QUEUED] = "queued",       [GN_FAR_STARTING] = "starting",
        [GN_FAR_RUNNING] = "running",     [GN_FAR_STOPPING] = "stopping",
        [GN_FAR_ENDED] = "ended",         [GN_FAR_LOST] = "lost",
        [GN_FAR_ELSEWHERE] = "elsewhere",
    };
    struct gn_far_status st = {0};
    char word[16];
    size_t i;

    if (strncmp(line, "st ", 3) != 0 || !gn_far_field(line, "state", word, sizeof word))
        return gn_err_set(err, GN_E_PROTO, "the far side sent no status");
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], word) == 0)
            break;
    if (i == sizeof names / sizeof *names)
        return gn_err_set(err, GN_E_PROTO, "the far side sent an unknown state");
    st.state = (enum gn_far_state)i;
    st.code = (int)(gn_far_number(line, "code", 0) & 0xff);
    copy_word(line, "sig", st.sig, sizeof st.sig);
    copy_word(line, "reason", st.reason, sizeof st.reason);
    copy_word(line, "host", st.host, sizeof st.host);
    st.start_s = gn_far_number(line, "start", 0);
    st.end_s = gn_far_number(line, "end", 0);
    st.now_s = gn_far_number(line, "now", 0);
    st.log_bytes = gn_far_number(line, "log", -1);
    st.setup = gn_far_number(line, "setup", 0) == 1;
    copy_text(line, st.words, sizeof st.words);
    st.cpus = (int)(gn_far_number(line, "cpus", 0) & 0xffff);
    st.idle_s = gn_far_number(line, "idle", 0);
    st.quiet = gn_far_number(line, "quiet", 0) == 1;
    *out = st;
    return GN_OK;
}
