/* guest.c - what a new machine is told at its first start. */
#include <inttypes.h>
#include <string.h>

#include "gnrrun/lease.h"

extern const char gn_guest_guest[];

#define GUEST "/usr/local/sbin/gnrrun-guest"

/* At each start, before anything can go wrong: woken after its deadline, it has half an hour. */
#define TIMER                                                                                      \
    "s=$((%" PRId64 " - $(date +%%s))); [ $s -gt 1800 ] || s=1800; "                               \
    "systemd-run --on-active=$s poweroff || (sleep $s; poweroff) &"

/* A text of several lines as a value: YAML's literal block, `by` blanks deep. */
static void add_block(struct gn_buf *out, const char *text, int by)
{
    gn_buf_adds(out, "|\n");
    while (*text) {
        size_t n = strcspn(text, "\n");

        if (n) {
            gn_buf_addf(out, "%*s", by, "");
            gn_buf_add(out, text, n);
        }
        gn_buf_addc(out, '\n');
        text += n + (text[n] == '\n');
    }
}

void gn_lease_user_data(const struct gn_guest *g, struct gn_buf *out)
{
    bool is_root = strcmp(g->user, "root") == 0;

    gn_buf_addf(out,
                "#cloud-config\n"
                "ssh_deletekeys: true\n"
                "disable_root: %s\n"
                "ssh_pwauth: false\n"
                "ssh_keys:\n"
                "  ed25519_private: ",
                is_root ? "false" : "true");
    add_block(out, g->host_key, 4);
    gn_buf_addf(out,
                "  ed25519_public: %s\n"
                "users:\n"
                "  - name: %s\n"
                "    shell: /bin/bash\n"
                "    lock_passwd: true\n"
                "    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n"
                "    ssh_authorized_keys: [\"%s\"]\n"
                "write_files:\n"
                "  - path: " GUEST "\n"
                "    content: ",
                g->host_key_pub, g->user, g->login_key);
    add_block(out, gn_guest_guest, 6);
    if (!g->halts)
        return;
    gn_buf_adds(out, "bootcmd:\n  - [sh, -c, '");
    gn_buf_addf(out, TIMER, g->deadline_s);
    gn_buf_adds(out, "']\nruncmd:\n");
    gn_buf_addf(out,
                "  - [sh, -c, 'systemd-run --unit=gnrrun-guest sh " GUEST " %" PRId64 " %s%s']\n",
                g->deadline_s, is_root ? "/root" : "/home/", is_root ? "" : g->user);
}
