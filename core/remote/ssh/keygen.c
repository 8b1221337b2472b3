#include "gnrrun/keygen.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"
#include "libssh.h"

static void wipe(char *text)
{
    volatile char *p = text;

    for (size_t n = text ? strlen(text) : 0; n > 0; n--)
        *p++ = 0;
}

int gn_keygen(struct gn_buf *priv, struct gn_buf *pub, struct gn_err *err)
{
    ssh_key key = NULL;
    char *pem = NULL, *line = NULL;
    int rc = gn_libssh_need(err);

    if (rc)
        return rc;
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
        ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &pem) != SSH_OK ||
        ssh_pki_export_pubkey_base64(key, &line) != SSH_OK) {
        rc = gn_err_set(err, GN_E_FAIL, "cannot make an ed25519 key");
    } else {
        gn_buf_adds(priv, pem);
        gn_buf_addf(pub, "ssh-ed25519 %s gnrrun", line);
    }
    wipe(pem);
    ssh_string_free_char(pem);
    ssh_string_free_char(line);
    ssh_key_free(key);
    return rc;
}
