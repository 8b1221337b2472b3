#include "sshtext.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return false;
    return true;
}

bool gn_ssh_word_ok(const char *s)
{
    return s && *s && *s != '-' && strlen(s) < 512 && is_plain(s);
}

bool gn_ssh_shell_ok(const char *s)
{
    return gn_ssh_word_ok(s) && !s[strcspn(s, "'`\"$\\;&<>|(){}*?[!#~")];
}

static bool token_value(char token, const struct gn_sshconf *c, const struct gn_ctx *ctx,
                        struct gn_buf *out)
{
    switch (token) {
    case '%':
        gn_buf_addc(out, '%');
        return true;
    case 'h':
        gn_buf_adds(out, c->hostname);
        return true;
    case 'n':
        gn_buf_adds(out, c->alias);
        return true;
    case 'p':
        gn_buf_addf(out, "%d", c->port);
        return true;
    case 'r':
        gn_buf_adds(out, c->user);
        return true;
    case 'd':
        gn_buf_adds(out, ctx->home);
        return true;
    case 'u':
        gn_buf_adds(out, ctx->user);
        return true;
    case 'i':
        gn_buf_addf(out, "%lu", (unsigned long)getuid());
        return true;
    default:
        return false;
    }
}

char *gn_ssh_expand(const char *text, const struct gn_sshconf *c, const struct gn_ctx *ctx)
{
    struct gn_buf out = GN_BUF_INIT((size_t)64 << 10);

    for (const char *p = text; *p; p++)
        if (p[0] == '%' && p[1] && token_value(p[1], c, ctx, &out))
            p++;
        else
            gn_buf_addc(&out, *p);
    return gn_buf_detach(&out);
}

void gn_ssh_split(const char *list, const char *separators, struct gn_strs *out)
{
    while (*list) {
        size_t n = strcspn(list, separators);

        if (n > 0)
            gn_strs_take(out, gn_strndup(list, n));
        list += n;
        list += strspn(list, separators);
    }
}

static bool parse_port(const char *s, int *port)
{
    char *end;
    long n = strtol(s, &end, 10);

    if (!isdigit((unsigned char)*s) || *end || n < 1 || n > 65535)
        return false;
    *port = (int)n;
    return true;
}

bool gn_ssh_parse_jump(const char *spec, char **user, char **host, int *port)
{
    const char *at, *rest, *colon;
    char *u = NULL, *h = NULL;
    int p = 0;

    if (strncmp(spec, "ssh://", 6) == 0)
        spec += 6;
    at = strrchr(spec, '@');
    rest = at ? at + 1 : spec;
    if (at)
        u = gn_strndup(spec, (size_t)(at - spec));
    if (*rest == '[') {
        const char *close = strchr(rest, ']');

        if (!close || (close[1] && (close[1] != ':' || !parse_port(close + 2, &p))))
            goto bad;
        h = gn_strndup(rest + 1, (size_t)(close - rest - 1));
    } else if ((colon = strchr(rest, ':')) && !strchr(colon + 1, ':')) {
        if (!parse_port(colon + 1, &p))
            goto bad;
        h = gn_strndup(rest, (size_t)(colon - rest));
    } else {
        h = gn_strdup(rest);
    }
    if (!gn_ssh_word_ok(h) || (u && !gn_ssh_word_ok(u)))
        goto bad;
    *user = u;
    *host = h;
    *port = p;
    return true;
bad:
    free(u);
    free(h);
    return false;
}

char *gn_ssh_safe(const char *text, size_t max)
{
    struct gn_buf out = GN_BUF_INIT(max * 4 + 16);
    size_t len = strlen(text);

    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    gn_buf_addsafe(&out, text, len, max);
    return gn_buf_detach(&out);
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void gn_b64_add(struct gn_buf *out, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);

        gn_buf_addc(out, b64[v >> 18 & 63]);
        gn_buf_addc(out, b64[v >> 12 & 63]);
        gn_buf_addc(out, left > 1 ? b64[v >> 6 & 63] : '=');
        gn_buf_addc(out, left > 2 ? b64[v & 63] : '=');
    }
}

bool gn_b64_decode(const char *text, size_t len, struct gn_buf *out)
{
    uint32_t v = 0;
    int bits = 0;

    while (len > 0 && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(b64, text[i]) : NULL;

        if (!at)
            return false;
        v = v << 6 | (uint32_t)(at - b64);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            gn_buf_addc(out, (char)(v >> bits & 0xff));
        }
    }
    return !gn_buf_over(out);
}

void gn_wipe(struct gn_buf *b)
{
    volatile char *p = b->ptr;

    for (size_t i = 0; i < b->cap; i++)
        p[i] = 0;
    gn_buf_clear(b);
}

const struct passwd *gn_own_passwd(struct gn_pw *room)
{
    struct passwd *found = NULL;

    if (getpwuid_r(getuid(), &room->pw, room->text, sizeof room->text, &found) != 0)
        return NULL;
    return found && found->pw_dir ? found : NULL;
}
