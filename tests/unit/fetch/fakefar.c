/* fakefar.c - see fakefar.h. */
#include "fakefar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/hash.h"
#include "must.h"

struct fake_stream {
    struct gn_stream base;
    struct fake_far *far;
    struct gn_buf in, out;
    size_t read;
    char nonce[64], op[16];
    bool started, tar_begun, cut;
    int status;
};

/* --- tar ----------------------------------------------------------------------------------- */

void fake_tar(struct gn_buf *out, const char *name, char type, unsigned mode, uint64_t size,
              const char *link, const void *data, size_t len)
{
    static const char zeros[512];
    char h[512] = {0};
    unsigned sum = 0;

    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", mode);
    snprintf(h + 108, 8, "%07o", 0);
    snprintf(h + 116, 8, "%07o", 0);
    snprintf(h + 124, 12, "%011" PRIo64, size);
    snprintf(h + 136, 12, "%011o", 1500);
    memset(h + 148, ' ', 8);
    h[156] = type;
    if (link)
        snprintf(h + 157, 100, "%s", link);
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    gn_buf_add(out, h, sizeof h);
    gn_buf_add(out, data, len);
    gn_buf_add(out, zeros, (512 - len % 512) % 512);
}

void fake_tar_end(struct gn_buf *out)
{
    static const char zeros[1024];

    gn_buf_add(out, zeros, sizeof zeros);
}

/* --- content ------------------------------------------------------------------------------- */

static size_t file_size(const struct fake_file *x)
{
    if (x->type && x->type != 'f' && x->type != 'l')
        return 0;
    return x->size ? x->size : strlen(x->text ? x->text : "");
}

static char *content(const struct fake_file *x, size_t *len)
{
    const char *text = x->text ? x->text : "";
    size_t n = strlen(text);
    char *s;

    *len = file_size(x);
    s = gn_calloc(1, *len + 1);
    if (x->sparse)
        memcpy(s + (1 << 20), text, n);
    for (size_t i = 0; i < *len && !x->sparse; i++)
        s[i] = (char)(text[i % n] + (char)(i / 65536 % 16));
    return s;
}

static struct fake_file *find(struct fake_far *f, const char *name)
{
    if (strncmp(name, "./", 2) == 0)
        name += 2;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->file[i].path, name) == 0)
            return &f->file[i];
    return NULL;
}

/* --- operations ---------------------------------------------------------------------------- */

static void op_list(struct fake_stream *s)
{
    struct fake_far *f = s->far;

    f->lists++;
    gn_buf_addf(&s->out, "list clock=9000 fmt=%s hash=%s marker=2000", f->whole ? "s" : "ns",
                f->cksum ? "cksum" : "sha256sum");
    if (f->setup)
        gn_buf_addf(&s->out, " setup=%s", f->setup);
    if (f->names)
        gn_buf_adds(&s->out, " names=1");
    gn_buf_addc(&s->out, '\n');
    gn_buf_addf(&s->out, "%s d 755 4096 1 1 .\n", s->nonce);
    for (size_t i = 0; i < f->n; i++) {
        const struct fake_file *x = &f->file[i];

        if (x->hidden)
            continue;
        gn_buf_addf(&s->out, "%s %c %o %llu %s %s ./%s\n", s->nonce, x->type ? x->type : 'f',
                    x->mode ? x->mode : 0644,
                    (unsigned long long)(x->list_size ? x->list_size : file_size(x)),
                    x->mtime ? x->mtime : "1500.5", x->ctime ? x->ctime : "2500.5", x->path);
    }
    gn_buf_addf(&s->out, "%s end\n", s->nonce);
}

static void send_sum(struct fake_stream *s, const char *name)
{
    struct fake_file *x = find(s->far, name);
    uint8_t hash[GN_HASH_LEN];
    char hex[GN_HASH_HEX];
    char *text;
    size_t len;

    s->far->sums++;
    if (!x || x->mode == 01) {
        gn_buf_adds(&s->out, "h -\n");
        return;
    }
    text = content(x, &len);
    gn_hash_data(text, len, hash);
    gn_hex(hash, GN_HASH_LEN, hex);
    if (s->far->cksum) {
        struct gn_cksum c = {0};
        gn_cksum_add(&c, text, len);
        gn_buf_addf(&s->out, "h %u:%zu\n", (unsigned)gn_cksum_end(&c), len);
    } else {
        gn_buf_addf(&s->out, "h %s\n", hex);
    }
    free(text);
}

static void send_entry(struct fake_stream *s, struct fake_file *x)
{
    char type = x->tar_type ? x->tar_type : x->type == 'l' ? '2' : x->type == 'd' ? '5' : '0';
    char *name = x->tar_name ? gn_strdup(x->tar_name) : gn_printf("./%s", x->path);
    size_t len;
    char *text = content(x, &len);

    if (x->tar_text || x->wrong_once) {
        free(text);
        text = gn_strdup(x->tar_text ? x->tar_text : x->wrong_once);
        len = strlen(text);
        x->wrong_once = NULL;
    }
    for (int i = 0; i <= (x->twice ? 1 : 0); i++) {
        bool data = type == '0';

        fake_tar(&s->out, name, type, x->mode ? x->mode : 0644,
                 x->tar_size ? x->tar_size
                 : data      ? len
                             : 0,
                 data ? NULL : text, text, data ? len : 0);
    }
    free(text);
    free(name);
}

/* Words as gn_buf_addshline() quotes them. */
static void words(struct fake_stream *s, char *line, void (*fn)(struct fake_stream *, const char *))
{
    struct gn_buf word = GN_BUF_INIT(65536);
    bool in = false, any = false;

    for (char *p = line;; p++) {
        if (!in && strncmp(p, "\"$nl\"", 5) == 0) {
            gn_buf_addc(&word, '\n');
            p += 4;
        } else if (*p == '\'') {
            in = !in;
            any = true;
        } else if (!in && *p == '\\' && p[1]) {
            gn_buf_addc(&word, *++p);
        } else if (!*p || (!in && *p == ' ')) {
            if (any || word.len)
                fn(s, word.ptr);
            gn_buf_reset(&word);
            any = false;
        } else {
            gn_buf_addc(&word, *p);
        }
        if (!*p)
            break;
    }
    gn_buf_clear(&word);
}

static void begin_tar(struct fake_stream *s)
{
    if (!s->tar_begun)
        gn_buf_addf(&s->out, "tar zstd=%d\n", s->far->tar_zstd ? 1 : 0);
    s->tar_begun = true;
}

static void send_named(struct fake_stream *s, const char *name)
{
    struct fake_file *x = find(s->far, name);

    if (x && !s->far->tar)
        send_entry(s, x);
}

static void op_get(struct fake_stream *s)
{
    char *nl;

    while ((nl = memchr(s->in.ptr, '\n', s->in.len)) != NULL) {
        size_t n = (size_t)(nl - s->in.ptr) + 1, len = 0;
        char *line = gn_strndup(s->in.ptr, n - 1), *names = NULL;

        if (line[0] == 's' || line[0] == 't') {
            len = strtoull(line + 2, NULL, 10);
            must(len && s->in.len >= n + len && s->in.ptr[n + len - 1] == '\n');
            names = gn_strndup(s->in.ptr + n, len - 1);
        } else if (line[0] == 'n') {
            len = strtoull(line + 2, NULL, 10);
            if (s->in.len < n + len) { /* they come by a write of their own */
                free(line);
                return;
            }
            must(len && s->in.ptr[n + len - 1] == 0);
            names = gn_realloc(NULL, len, 1);
            memcpy(names, s->in.ptr + n, len);
        }
        gn_buf_drop(&s->in, n + len);
        if (line[0] == 's') {
            words(s, names, send_sum);
        } else if (line[0] == 'n') {
            begin_tar(s);
            s->status = s->far->get_status;
            for (char *p = names; p < names + len; p += strlen(p) + 1)
                send_named(s, p);
            if (!s->far->tar)
                fake_tar_end(&s->out);
        } else if (line[0] == 't') {
            begin_tar(s);
            words(s, names, send_named);
            if (!s->far->tar)
                fake_tar_end(&s->out);
        } else {
            must(strcmp(line, ".") == 0);
            begin_tar(s);
            for (size_t i = 0; i < s->far->n && !s->far->tar; i++)
                if (s->far->file[i].hidden)
                    send_entry(s, &s->far->file[i]);
            if (!s->far->tar)
                fake_tar_end(&s->out);
            if (s->far->tar)
                gn_buf_add(&s->out, s->far->tar->ptr, s->far->tar->len);
        }
        free(line);
        free(names);
    }
}

/* Value of a_NAME in the program, without its quotes. */
static char *arg(const char *program, const char *name)
{
    char *key = gn_printf("a_%s=", name);
    const char *p = strstr(program, key);
    size_t n;

    must(p);
    p += strlen(key);
    free(key);
    p += *p == '\'';
    n = strcspn(p, "'\n");
    return gn_strndup(p, n);
}

static void op_cat(struct fake_stream *s, const char *program)
{
    char *path = arg(program, "path"), *offset = arg(program, "offset");
    char *length = arg(program, "length"), *sum = arg(program, "sum");
    struct fake_file *x = find(s->far, path);
    size_t len, from = strtoull(offset, NULL, 10), want = strtoull(length, NULL, 10);
    char *text;

    must(x);
    text = content(x, &len);
    s->far->cats++;
    s->far->cat_offset = (int64_t)from;
    gn_buf_addf(&s->out, "cat size=%zu mtime=%s\n", len, x->mtime ? x->mtime : "1500.5");
    must(from <= len);
    if (want > len - from)
        want = len - from;
    s->far->cat_bytes = (int64_t)want;
    if (s->far->cat_less)
        want /= 2;
    if (s->far->cat_more)
        gn_buf_addf(&s->out, "d %zu\n%sx", want + 1, text + from);
    else
        gn_buf_addf(&s->out, "d %zu\n", want);
    gn_buf_add(&s->out, text + from, want);
    if (strcmp(sum, "1") == 0)
        send_sum(s, path);
    else if (strcmp(sum, "still") == 0)
        gn_buf_addf(&s->out, "h %c\n", s->far->restless ? '-' : '=');
    s->far->restless = false;
    gn_buf_adds(&s->out, "end\n");
    free(text);
    free(sum);
    free(path);
    free(offset);
    free(length);
}

static void start(struct fake_stream *s, const char *program)
{
    const char *op = strstr(program, "\nop=");
    char *nonce = arg(program, "nonce");

    must(op);
    snprintf(s->op, sizeof s->op, "%.*s", (int)strcspn(op + 4, "\n"), op + 4);
    snprintf(s->nonce, sizeof s->nonce, "%s", nonce);
    gn_buf_addf(&s->out, "Welcome!\ngn1 %s\n", nonce);
    free(nonce);
    if (strcmp(s->op, "list") == 0)
        op_list(s);
    else if (strcmp(s->op, "cat") == 0)
        op_cat(s, program);
    else
        s->far->gets++;
}

/* --- the stream ---------------------------------------------------------------------------- */

static int fake_write(struct gn_stream *base, const void *data, size_t len,
                      const struct gn_ctx *ctx, struct gn_err *err)
{
    struct fake_stream *s = (struct fake_stream *)base;

    (void)ctx;
    (void)err;
    gn_buf_add(&s->in, data, len);
    if (!s->started) {
        s->started = true;
        start(s, s->in.ptr);
        gn_buf_reset(&s->in);
    } else if (strcmp(s->op, "get") == 0) {
        op_get(s);
    }
    return GN_OK;
}

static int fake_eof(struct gn_stream *base, const struct gn_ctx *ctx, struct gn_err *err)
{
    (void)base;
    (void)ctx;
    (void)err;
    return GN_OK;
}

static int fake_read(struct gn_stream *base, void *buf, size_t cap, int64_t timeout_ms, size_t *n,
                     const struct gn_ctx *ctx, struct gn_err *err)
{
    struct fake_stream *s = (struct fake_stream *)base;
    struct fake_far *f = s->far;
    size_t left = s->out.len - s->read;

    (void)timeout_ms;
    (void)ctx;
    if (f->cut_after >= 0 && (uint64_t)f->cut_after - f->sent < left)
        left = (size_t)((uint64_t)f->cut_after - f->sent);
    if (f->cut_after >= 0 && (uint64_t)f->cut_after == f->sent) {
        s->cut = true;
        *n = 0;
        return f->cut_softly ? GN_OK : gn_err_set(err, GN_E_NET, "cut");
    }
    *n = left < cap ? left : cap;
    memcpy(buf, s->out.ptr + s->read, *n);
    s->read += *n;
    f->sent += *n;
    return GN_OK;
}

static const char *fake_err_text(struct gn_stream *s)
{
    (void)s;
    return "";
}

static int fake_status(struct gn_stream *base, int64_t timeout_ms, int *status,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    (void)timeout_ms;
    (void)ctx;
    (void)err;
    *status = ((struct fake_stream *)base)->cut ? -1 : ((struct fake_stream *)base)->status;
    return GN_OK;
}

static void fake_resize(struct gn_stream *s, int cols, int rows)
{
    (void)s;
    (void)cols;
    (void)rows;
}

static void fake_close(struct gn_stream *base)
{
    struct fake_stream *s = (struct fake_stream *)base;

    gn_buf_clear(&s->in);
    gn_buf_clear(&s->out);
    free(s);
}

static const struct gn_stream_ops stream_ops = {.write = fake_write,
                                                .eof = fake_eof,
                                                .read = fake_read,
                                                .err_text = fake_err_text,
                                                .status = fake_status,
                                                .resize = fake_resize,
                                                .close = fake_close};

static int fake_exec(struct gn_transport *t, const char *command, const struct gn_pty *pty,
                     struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct fake_stream *s;

    (void)pty;
    (void)ctx;
    if (strcmp(command, "exec /bin/sh") != 0) /* it reads programs on stdin only */
        return gn_err_set(err, GN_E_PROTO, "refused");
    s = gn_new(struct fake_stream);
    s->base.ops = &stream_ops;
    s->far = (struct fake_far *)t;
    s->in = (struct gn_buf)GN_BUF_INIT((size_t)64 << 20);
    s->out = (struct gn_buf)GN_BUF_INIT((size_t)256 << 20);
    *out = &s->base;
    return GN_OK;
}

void fake_far_init(struct fake_far *f, struct fake_file *file, size_t n)
{
    static const struct gn_transport_ops ops = {.name = "fake", .exec = fake_exec};

    *f = (struct fake_far){.base.ops = &ops, .file = file, .n = n, .cut_after = -1};
}

/* --- the store ----------------------------------------------------------------------------- */

void gn_fetched_clear(struct gn_fetched_file *f)
{
    free(f->path);
    free(f->dest);
    memset(f, 0, sizeof *f);
}

static void copy(struct gn_fetched_file *to, const struct gn_fetched_file *from)
{
    *to = *from;
    to->path = gn_strdup(from->path);
    to->dest = gn_strdup(from->dest);
}

int gn_store_put_fetched(struct gn_store *s, const struct gn_fetched_file *f, struct gn_err *err)
{
    (void)err;
    must(s->open);
    GN_GROW(s->v, s->n, s->cap);
    copy(&s->v[s->n++], f);
    return GN_OK;
}

int gn_store_get_fetched_by(struct gn_store *s, int64_t run_id, const char *dest, const char *path,
                            struct gn_fetched_file *out, struct gn_err *err)
{
    for (size_t i = s->n; i-- > 0;) {
        if ((run_id && s->v[i].run_id != run_id) || strcmp(s->v[i].dest, dest) != 0 ||
            strcmp(s->v[i].path, path) != 0)
            continue;
        copy(out, &s->v[i]);
        return GN_OK;
    }
    return gn_err_set(err, GN_E_NOTFOUND, "none");
}

int gn_store_get_fetched(struct gn_store *s, const char *dest, const char *path,
                         struct gn_fetched_file *out, struct gn_err *err)
{
    return gn_store_get_fetched_by(s, 0, dest, path, out, err);
}

int gn_store_has_fetched(struct gn_store *s, int64_t run_id, const char *dest, bool *any,
                         struct gn_err *err)
{
    (void)err;
    *any = false;
    for (size_t i = 0; i < s->n; i++)
        *any = *any || (s->v[i].run_id == run_id && strcmp(s->v[i].dest, dest) == 0);
    return GN_OK;
}

int gn_store_begin(struct gn_store *s, struct gn_err *err)
{
    (void)err;
    must(!s->open);
    s->open = true;
    return GN_OK;
}

int gn_store_end(struct gn_store *s, struct gn_err *err)
{
    (void)err;
    must(s->open);
    s->open = false;
    return GN_OK;
}

void fake_store_clear(struct gn_store *s)
{
    for (size_t i = 0; i < s->n; i++)
        gn_fetched_clear(&s->v[i]);
    free(s->v);
    memset(s, 0, sizeof *s);
}
