#include "cli/options.h"

#include <limits.h>

/* clang-format off */
#define FLAG(n, l, h)            {.name = (n), .letter = (l), .kind = GN_OPT_FLAG, .help = (h)}
#define WORD(n, l, k, a, h)      {.name = (n), .letter = (l), .kind = GN_OPT_##k, .arg = (a), .help = (h)}
#define MANY(n, k, a, h)         {.name = (n), .kind = GN_OPT_##k, .arg = (a), .help = (h), .many = true}
#define NUMBER(n, lo, hi, h)     {.name = (n), .kind = GN_OPT_INT, .arg = "N", .help = (h), .min = (lo), .max = (hi)}
#define END                      {.name = NULL}

const struct gn_opt gn_options_common[] = {
    FLAG("help", 'h', "this text"),
    FLAG("json", 0, "one JSON object per line on stdout"),
    FLAG("quiet", 'q', "only warnings and errors"),
    FLAG("verbose", 'v', "say more of what happens"),
    END,
};

/* Commands that connect. */
static const struct gn_opt reach[] = {
    FLAG("accept-new-host-key", 0, "note the key of a host never seen before; never a changed one"),
    END,
};

/* What the program needs. */
static const struct gn_opt need[] = {
    NUMBER("gpus", 0, 1024, "number of GPUs"),
    WORD("gpu-type", 0, TEXT, "NAME", "kind of GPU, for example a100"),
    WORD("gpu-memory", 0, SIZE, "SIZE", "memory of each GPU, for example 8GB"),
    NUMBER("cpus", 1, 65536, "number of processors"),
    WORD("memory", 0, SIZE, "SIZE", "main memory, for example 16GB"),
    NUMBER("nodes", 1, 65536, "number of machines"),
    WORD("time", 0, TIME, "DUR", "end the run after this time, for example 90m"),
    WORD("max-cost", 0, MONEY, "AMOUNT", "spend at most this; without it nothing paid is used"),
    END,
};

/* How it is run. */
static const struct gn_opt how[] = {
    WORD("target", 't', TARGET, "NAME", "where: local, a configured name, an ssh alias, user@host"),
    WORD("name", 0, TEXT, "NAME", "a name of your own for the run"),
    MANY("env", ENV, "K[=V]", "set K for the program; without =V it is taken from here, secretly"),
    MANY("data", DIR, "DIR", "ship this once per host and share it between runs"),
    {.name = "setup", .kind = GN_OPT_TEXT, .arg = "CMD", .empty = true,
     .help = "run this before the program, once per content; '' for nothing"},
    WORD("python", 0, TEXT, "EXE", "the Python to use over there"),
    NUMBER("nice", 0, 19, "be nice to others by this much"),
    WORD("grace", 0, TIME, "DUR", "time between TERM and KILL when it is ended (10s)"),
    MANY("sweep", TEXT, "NAME=VALUES", "a run for each: lr=0.1,0.01 or depth=2..5; {lr} stands for it"),
    NUMBER("parallel", 1, 1000, "of a sweep, so many at a time"),
    FLAG("detach", 0, "start it and come back at once"),
    FLAG("dry-run", 0, "stop before anything is sent"),
    END,
};

/* What comes home. */
static const struct gn_opt home[] = {
    FLAG("no-fetch", 0, "leave the results over there"),
    WORD("results", 0, DIR, "DIR", "put results here instead of into the project"),
    WORD("sync", 0, TIME, "DUR", "fetch results this often while it runs"),
    END,
};

/* What is shipped. */
static const struct gn_opt ship[] = {
    MANY("allow", FILE, "FILE", "ship this file although it looks like a secret"),
    WORD("max-size", 0, SIZE, "SIZE", "refuse to ship a project larger than this (1GB)"),
    FLAG("all-sizes", 0, "ship it however large it is"),
    END,
};

/* `ship` alone: where to, and what is no part of the project. */
static const struct gn_opt where[] = {
    WORD("target", 't', TARGET, "NAME", "where: a configured name, an ssh alias, user@host"),
    MANY("data", DIR, "DIR", "ship this once per host and share it between runs"),
    END,
};

static const struct gn_opt ps[] = {
    FLAG("all", 0, "every run, not only the newest and those that are not over"),
    FLAG("refresh", 0, "ask the targets first"),
    END,
};

static const struct gn_opt logs[] = {
    FLAG("follow", 'f', "go on until the run is over"),
    NUMBER("tail", 0, INT_MAX, "only the last N lines"),
    NUMBER("rank", 0, 65535, "of a run on several nodes, this process's"),
    END,
};

static const struct gn_opt fetch[] = {
    WORD("into", 0, DIR, "DIR", "put results here instead of into the project"),
    END,
};

static const struct gn_opt stop[] = {
    FLAG("now", 0, "KILL at once"),
    WORD("grace", 0, TIME, "DUR", "time between TERM and KILL (10s)"),
    END,
};

static const struct gn_opt rm[] = {
    FLAG("force", 0, "also runs that go on or whose results are not here"),
    END,
};

static const struct gn_opt files[] = {
    FLAG("all", 0, "every file, not only the largest"),
    WORD("why", 0, FILE, "PATH", "say which rule decides about PATH"),
    END,
};

static const struct gn_opt sweep[] = {
    FLAG("terminate", 0, "end those of yours that no run needs"),
    END,
};

static const struct gn_opt targets[] = {
    FLAG("check", 0, "connect and say what is there"),
    FLAG("disconnect", 0, "end the connections that are kept to them"),
    END,
};

static const struct gn_opt target[] = {
    WORD("host", 0, TEXT, "HOST", "name, address or ssh alias (default: NAME itself)"),
    WORD("user", 0, TEXT, "USER", "user name over there"),
    {.name = "port", .kind = GN_OPT_INT, .arg = "PORT", .help = "port of its sshd",
     .min = 1, .max = 65535},
    WORD("jump", 0, TEXT, "HOST", "go through this host; a,b for several"),
    WORD("identity", 0, FILE, "FILE", "private key to log in with"),
    WORD("workdir", 0, TEXT, "DIR", "folder over there for all that is ours (~/.gnrrun)"),
    FLAG("shared", 0, "others use it: be nice"),
    NUMBER("nice", 0, 19, "be nice to others by this much"),
    WORD("python", 0, TEXT, "EXE", "the Python to use there"),
    WORD("setup", 0, TEXT, "CMD", "run this before every program there"),
    MANY("tag", TEXT, "WORD", "a word to find it by"),
    END,
};

const struct gn_opt *const gn_options_start[] = {how, need, home, ship, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_ship[] = {where, ship, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_ps[] = {ps, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_show[] = {gn_options_common, NULL};
const struct gn_opt *const gn_options_logs[] = {logs, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_attach[] = {home, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_fetch[] = {fetch, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_stop[] = {stop, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_rm[] = {rm, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_ssh[] = {reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_forward[] = {reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_files[] = {files, ship, gn_options_common, NULL};
const struct gn_opt *const gn_options_sweep[] = {sweep, gn_options_common, NULL};
const struct gn_opt *const gn_options_targets[] = {targets, reach, gn_options_common, NULL};
const struct gn_opt *const gn_options_target[] = {target, gn_options_common, NULL};
const struct gn_opt *const gn_options_init[] = {gn_options_common, NULL};
const struct gn_opt *const gn_options_doctor[] = {reach, gn_options_common, NULL};
/* clang-format on */
