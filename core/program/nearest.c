#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gnrrun/fs.h"
#include "private.h"

/* A look round must not become a walk over a data set. */
#define FOLDERS_MAX 256
#define ENTRIES_MAX 20000

struct best {
    char *path; /* absolute */
    unsigned distance;
};

static void offer(struct best *b, const char *dir, const char *name, unsigned distance)
{
    if (b->path && distance >= b->distance)
        return;
    free(b->path);
    b->path = gn_path_join(dir, name);
    b->distance = distance;
}

static bool is_same_stem(const char *name, const char *word)
{
    size_t n = strlen(word);

    return !strncmp(name, word, n) && name[n] == '.' && gn_known_ending(name);
}

/* The name of dir that is likest to word; a typo, not another word. */
static void look_in(const char *dir, const char *word, struct best *b)
{
    unsigned limit = strlen(word) < 4 ? 1 : strlen(word) < 9 ? 2 : 3;
    DIR *d = opendir(dir);
    struct dirent *e;

    for (unsigned n = 0; d && n < ENTRIES_MAX && (e = readdir(d)); n++) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        if (is_same_stem(e->d_name, word)) {
            offer(b, dir, e->d_name, 0);
            continue;
        }
        unsigned distance = gn_edit_distance(word, e->d_name);
        if (distance <= limit)
            offer(b, dir, e->d_name, distance);
    }
    if (d)
        closedir(d);
}

/* A folder to look into, when path is one: no links, nothing hidden. */
static bool is_folder(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The same name anywhere in the project, nearest to its root first. */
static char *look_below(const char *root, const char *word)
{
    struct gn_strs queue = GN_STRS_INIT;
    unsigned seen = 0;
    char *found = NULL;

    gn_strs_add(&queue, root);
    for (size_t i = 0; i < queue.n && !found && seen < ENTRIES_MAX; i++) {
        DIR *d = opendir(queue.v[i]);
        struct dirent *e;

        while (d && !found && seen++ < ENTRIES_MAX && (e = readdir(d))) {
            char *path = gn_path_join(queue.v[i], e->d_name);

            if (!strcmp(e->d_name, word))
                found = gn_strdup(path);
            else if (e->d_name[0] != '.' && queue.n < FOLDERS_MAX && is_folder(path))
                gn_strs_add(&queue, path);
            free(path);
        }
        if (d)
            closedir(d);
    }
    gn_strs_clear(&queue);
    return found;
}

bool gn_nearest_hint(const struct gn_project *p, const char *cwd, const char *path,
                     struct gn_err *err)
{
    struct best b = {0};
    char *dir = gn_strdup(path);

    *strrchr(dir, '/') = 0;
    look_in(*dir ? dir : "/", gn_path_base(path), &b);
    if (!b.path)
        b.path = look_below(p->root, gn_path_base(path));
    free(dir);
    if (!b.path)
        return false;

    const char *shown = gn_path_below(cwd, b.path);
    char *text = gn_safe_text(shown ? shown : b.path);
    gn_err_hint(err, "did you mean '%s'?", text);
    free(text);
    free(b.path);
    return true;
}
