/* choose.c - the keys below choose:. */
#include <string.h>

#include "gnrrun/buf.h"
#include "values.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define AT(f)    offsetof(struct gn_choose_keys, f)

static const char *const kinds[] = {"local", "campus", "free", "paid"};

static int read_prefer(const struct gn_reading *in, const struct gn_yaml_node *n,
                       const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_choose_keys *k = base;
    int rc = gn_read_strs(in, n, key, base, err);

    for (size_t i = 0; !rc && i < k->prefer.n; i++) {
        bool ok = false;

        for (size_t j = 0; j < COUNT(kinds); j++)
            ok |= strcmp(k->prefer.v[i], kinds[j]) == 0;
        for (size_t j = 0; j < i; j++)
            ok &= strcmp(k->prefer.v[i], k->prefer.v[j]) != 0;
        if (!ok)
            rc = gn_yaml_err(err, in->file, n->line, n->col,
                             "'prefer' must be a list of local, campus, free and paid, each once");
    }
    return rc;
}

static int read_money(const struct gn_reading *in, const struct gn_yaml_node *n,
                      const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_choose_keys *k = base;
    int64_t v;

    (void)key;
    if (n->kind != GN_YAML_SCALAR || !gn_parse_money(n->text, &v) || v < 0)
        return gn_bad_value(in, n, "an amount such as $2.50 or 0", err);
    k->max_cost_microusd = v;
    k->has_max_cost = true;
    return GN_OK;
}

static const struct gn_key choose_keys[] = {
    {"prefer", read_prefer, AT(prefer), 0},
    {"local_if_within", gn_read_seconds, AT(local_if_within_s), 0},
    {"max_cost", read_money, 0, 0},
};

int gn_read_choose(const struct gn_reading *in, const struct gn_yaml_node *n,
                   const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_config *cfg = in->cfg;

    (void)key;
    (void)base;
    return gn_read_map(in, n, choose_keys, COUNT(choose_keys),
                       in->is_users ? &cfg->users_choose : &cfg->choose, err);
}
