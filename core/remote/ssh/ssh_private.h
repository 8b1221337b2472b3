/*
 * ssh_private.h - what the files of this folder share.
 *
 * Every session is non-blocking: libssh does what it can and says "again", and the
 * waiting is ours (hop.c), so that Ctrl-C and time limits hold everywhere.  A session
 * belongs to one thread at a time: to its pump (jump.c) while one runs on it.
 */
#ifndef GNRRUN_REMOTE_SSH_PRIVATE_H
#define GNRRUN_REMOTE_SSH_PRIVATE_H

#include "agent.h"
#include "dial.h"
#include "gnrrun/fs.h"
#include "gnrrun/transport.h"
#include "libssh.h"
#include "sshtext.h"

#define GN_HOPS_MAX     8
#define GN_HANDSHAKE_MS 30000 /* of one answer while logging in; machines under load are slow */
#define GN_ALIVE_MS     10000
#define GN_STALL_MS     30000
#define GN_AHEAD_MAX    6

struct gn_pump;

/* One authenticated connection, to the target or to a jump host before it. */
struct gn_hop {
    struct gn_sshconf conf;
    char *who; /* "s1@ravan", safe to print */
    ssh_session session;
    ssh_event event;                   /* to let libssh work without a channel */
    struct ssh_counter_struct traffic; /* bytes on the wire */
    struct gn_proxy proxy;
    struct gn_pump *pump;  /* carries the next hop's bytes; then the session is the pump's */
    int64_t rtt_us;        /* the shortest that a request and its answer took; 0: none yet */
    uint64_t heard_bytes;  /* traffic.in_bytes as last looked at */
    int64_t heard_ms;      /* when that changed */
    int64_t asked_ms;      /* when a sign of life was last asked for */
    uint64_t waited_bytes; /* traffic.in_bytes at the last wait */
};

/* Private keys that were opened, so that a passphrase is asked for once in all hops. */
struct gn_keyring {
    struct gn_opened {
        char *path;
        ssh_key key;
    } * v;
    size_t n, cap;
};

/* What logging in needs to know. */
struct gn_login {
    struct gn_hop *hop;
    const struct gn_ctx *ctx;
    const struct gn_ssh_opts *opts;
    struct gn_keyring *ring;
    struct gn_agent *agent; /* NULL: none */
    struct gn_strs tried;   /* for the message of a refusal */
    struct gn_strs used;    /* public keys (base64) the server has seen from us */
    char *locked;           /* an encrypted key that nobody could open */
    bool asked;             /* a person has answered a question of the server */
};

/* hop.c */
typedef int (*gn_step_fn)(struct gn_hop *h, void *arg);

/* Call fn until it says anything but `again`; what it said is *result. */
GN_MUST int gn_hop_step(struct gn_hop *h, gn_step_fn fn, void *arg, int again, int *result,
                        const struct gn_ctx *ctx, struct gn_err *err);

/*
 * A request and its answer took us.  What TCP knows of its own round trips is no measure: a relay,
 * a jump host or a ProxyCommand may be at its end.
 */
void gn_hop_note_rtt(struct gn_hop *h, int64_t us);

/* Wait until the session's line has something, or until timeout_ms (GN_E_TIMEOUT). */
GN_MUST int gn_hop_wait(struct gn_hop *h, int64_t timeout_ms, const struct gn_ctx *ctx,
                        struct gn_err *err);

/* Ask for a sign of life when nothing came for a while.  Never waits. */
void gn_hop_keep_alive(struct gn_hop *h, const struct gn_ctx *ctx);

/* Let libssh read and write what it can; false when the connection is gone. */
bool gn_hop_work(struct gn_hop *h);

/* GN_E_NET with libssh's reason. */
int gn_hop_lost(struct gn_hop *h, struct gn_err *err);

/* Key exchange, host key, login on fd, which is the session's from here on, whatever happens. */
GN_MUST int gn_hop_open(struct gn_hop *h, int fd, const struct gn_ssh_opts *opts,
                        struct gn_keyring *ring, const struct gn_ctx *ctx, struct gn_err *err);
void gn_hop_close(struct gn_hop *h);

/* hostkey.c: what known_hosts says about this host. */
struct gn_known {
    struct gn_known_key {
        ssh_key key;
        bool revoked;
        char *file;
        int line;
    } * v;
    size_t n, cap;
    char *name; /* as known_hosts has it: "host", "[host]:port", the alias */
};

GN_MUST int gn_known_load(const struct gn_hop *h, struct gn_known *out, const struct gn_ctx *ctx,
                          struct gn_err *err);
/* Host key algorithms, those we can verify first; the caller's. */
char *gn_known_algorithms(const struct gn_known *k, const char *wanted);
GN_MUST int gn_known_check(struct gn_hop *h, const struct gn_known *k,
                           const struct gn_ssh_opts *opts, const struct gn_ctx *ctx,
                           struct gn_err *err);
void gn_known_clear(struct gn_known *k);

/* auth.c */
GN_MUST int gn_login(struct gn_login *l, struct gn_err *err);

/* keys.c: *result is enum ssh_auth_e. */
GN_MUST int gn_login_keys(struct gn_login *l, int *result, struct gn_err *err);
/* The first named key that can be offered without asking anybody; l->tried tells whether there was one. */
GN_MUST int gn_login_first_key(struct gn_login *l, int *result, struct gn_err *err);
void gn_keyring_clear(struct gn_keyring *r);

/* interact.c */
GN_MUST int gn_login_kbdint(struct gn_login *l, int *result, struct gn_err *err);
GN_MUST int gn_login_password(struct gn_login *l, int *result, struct gn_err *err);
/* Before anything is begun that only a person can end, since sites count what is begun: GN_E_AUTH when
 * nobody is there, or when it is left to another. */
GN_MUST int gn_login_leave(struct gn_login *l, struct gn_err *err);
/* Ask the person; GN_E_AUTH when nobody is there. */
GN_MUST int gn_login_ask(struct gn_login *l, const struct gn_question *q, struct gn_buf *answer,
                         struct gn_err *err);

/* rate.c */
uint64_t gn_ssh_rate(struct gn_transport *t, const struct gn_ctx *ctx);

/* jump.c: *fd is a byte stream to host:port by way of h. */
GN_MUST int gn_pump_start(struct gn_hop *h, const char *host, int port, int *fd,
                          const struct gn_ctx *ctx, struct gn_err *err);
void gn_pump_stop(struct gn_pump *p);

struct gn_ssh {
    struct gn_transport base;
    struct gn_hop *hops[GN_HOPS_MAX];
    size_t n;
    struct gn_keyring ring;
    int64_t closed_ms; /* when a stream was closed: the server may count it for a while */
    /* Asked to be opened before anybody needs them: the next commands find them open. */
    struct gn_channel *ahead[GN_AHEAD_MAX];
    size_t n_ahead;
    size_t most; /* sessions the server had open when it refused one ahead; 0: it never did */
    int64_t refused_ms; /* when that was */
};

#define GN_ERR_TAIL ((size_t)4096)

/* One command over there, or one forwarded port. */
struct gn_channel {
    struct gn_stream base; /* first */
    struct gn_ssh *ssh;
    struct gn_hop *hop;
    ssh_channel ch;
    struct ssh_channel_callbacks_struct cb;
    struct gn_buf kept; /* arrived while we wrote */
    size_t kept_at;
    char tail[GN_ERR_TAIL + 1];
    size_t tail_len;
    uint64_t err_came; /* bytes of stderr so far */
    uint32_t window;   /* the most that was ever free of what the server takes without a word */
    uint64_t came;     /* bytes that were read */
    uint64_t widen_at; /* so many of them, and more is asked for at a time */
    int status;
    bool counted; /* by the server: it was open */
    bool told;    /* status is known */
    bool pty;
    bool asking; /* the request is on its way, its answer is not here yet */
};

/* stream.c: one whose channel is not open yet; closed by its ops. */
struct gn_channel *gn_channel_new(struct gn_ssh *ssh, struct gn_err *err);
bool gn_channel_is_up(struct gn_channel *s);
/* Hand over what can go now, *taken bytes of it. */
GN_MUST int gn_channel_put(struct gn_channel *s, const void *data, size_t len, size_t *taken,
                           struct gn_err *err);

/* channel.c */

/* Open a channel of the kind that `open` asks for; GN_E_LIMIT when the server has none left. */
GN_MUST int gn_channel_open(struct gn_hop *h, gn_step_fn open, void *arg, ssh_channel ch,
                            const struct gn_ctx *ctx, struct gn_err *err);
void gn_ssh_expect(struct gn_transport *t, unsigned n);
/* The first that was opened ahead; NULL when there is none. */
struct gn_channel *gn_channel_take_ahead(struct gn_ssh *ssh);
int gn_ssh_exec(struct gn_transport *t, const char *command, const struct gn_pty *pty,
                struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err);
int gn_ssh_forward(struct gn_transport *t, const char *host, int port, struct gn_stream **out,
                   const struct gn_ctx *ctx, struct gn_err *err);

#endif
