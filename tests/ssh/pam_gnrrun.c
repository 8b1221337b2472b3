/*
 * pam_gnrrun - a make-believe PAM module for the tests: a password, then a code, with a
 * menu as campus sites show it.  It guards nothing.
 *
 *   auth requisite pam_gnrrun.so password=WORD [code=NNNNNN] [count=FILE]
 *
 * count: a line is appended for each attempt.
 */
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(pam_handle_t *h, int style, const char *prompt, const char *want)
{
    const struct pam_conv *conv = NULL;
    struct pam_message m = {style, prompt};
    const struct pam_message *ms[1] = {&m};
    struct pam_response *r = NULL;
    const void *item = NULL;
    int ok;

    if (pam_get_item(h, PAM_CONV, &item) != PAM_SUCCESS || !item)
        return PAM_AUTH_ERR;
    conv = item;
    if (conv->conv(1, ms, &r, conv->appdata_ptr) != PAM_SUCCESS || !r)
        return PAM_AUTH_ERR;
    ok = r->resp && strcmp(r->resp, want) == 0;
    free(r->resp);
    free(r);
    return ok ? PAM_SUCCESS : PAM_AUTH_ERR;
}

PAM_EXTERN int pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
    int rc = PAM_AUTH_ERR;

    (void)flags;
    for (int i = 0; i < argc; i++) {
        FILE *f;

        if (strncmp(argv[i], "count=", 6) == 0 && (f = fopen(argv[i] + 6, "a"))) {
            fputs("attempt\n", f);
            fclose(f);
        }
    }
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "password=", 9) == 0)
            rc = ask(h, PAM_PROMPT_ECHO_OFF, "Password: ", argv[i] + 9);
        if (strncmp(argv[i], "code=", 5) == 0 && rc == PAM_SUCCESS)
            rc = ask(h, PAM_PROMPT_ECHO_ON,
                     "Two-factor login\n\n 1. Push to XXX-1234\n\nPasscode or option (1-1): ",
                     argv[i] + 5);
    }
    return rc;
}

PAM_EXTERN int pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv)
{
    (void)h;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}
