/* tree.h - folders and files for the tests of fetch. */
#ifndef GN_TEST_TREE_H
#define GN_TEST_TREE_H

#include <stdbool.h>
#include <stddef.h>

char *tree_new(void);      /* an empty folder of its own; the caller's */
void tree_free(char *dir); /* with all that is in it */
void tree_put(const char *dir, const char *path, const char *text); /* folders too */
char *tree_get(const char *dir,
               const char *path); /* text of a plain file, NULL when there is none */
void tree_link(const char *dir, const char *path, const char *target);
bool tree_has(const char *dir, const char *path); /* anything, also a dangling link */
size_t tree_count(const char *dir);               /* all that is below, folders not counted */

#endif
