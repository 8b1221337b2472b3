/* base.c - what we noted of each target's copy of a project: only that lets a ship be small. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "run_private.h"

/* Name of the project's folder of snapshots over there: the same on every invocation. */
char *gn_base_key(const struct gn_project *project)
{
    uint8_t hash[GN_HASH_LEN];
    char hex[17];

    gn_hash_data(project->root, strlen(project->root), hash);
    gn_hex(hash, 8, hex);
    return gn_printf("%.60s-%s", project->name, hex);
}

/* Where we noted what that target has of this project. */
char *gn_base_path(const struct gn_road *road, const char *key)
{
    uint8_t hash[GN_HASH_LEN];
    char hex[17];
    char *id = gn_printf("%s\n%s\n%s", road->target.name,
                         road->target.host ? road->target.host : "", gn_road_root(road));
    char *path;

    gn_hash_data(id, strlen(id), hash);
    gn_hex(hash, 8, hex);
    path = gn_printf("%s/ship/%s-%s", road->e->ctx->state_dir, key, hex);
    free(id);
    return path;
}

/* Only a note: if it cannot be kept the next ship is larger. */
void gn_base_keep(const struct gn_road *road, const struct gn_manifest *tree, const char *path)
{
    struct gn_err why = GN_ERR_INIT;
    char *dir = gn_printf("%s/ship", road->e->ctx->state_dir);

    if (gn_fs_mkdirs(dir, 0700, &why) || gn_manifest_write(tree, path, &why))
        gn_event_text(road->e->ctx, GN_EV_DEBUG, "%s", why.msg);
    free(dir);
}
