/*
 * The small reader of ssh_config, by itself and against `ssh -G` on made-up files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gnrrun/fs.h"
#include "gnrrun/sshconf.h"
#include "sshread.h"
#include "sshtext.h"

static char dir[64];
static char *config_path;

static const char *env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "GNRRUN_SSH_CONFIG") == 0 ? config_path : NULL;
}

static struct gn_ctx make_ctx(void)
{
    struct gn_ctx ctx = gn_ctx_none;

    ctx.home = dir;
    ctx.user = "me";
    ctx.env = env;
    return ctx;
}

static void put_file(const char *name, const char *text)
{
    struct gn_err err = GN_ERR_INIT;
    char *path = gn_path_join(dir, name);

    assert_int_equal(gn_fs_replace(path, text, strlen(text), 0600, &err), GN_OK);
    free(path);
}

/* By our own reader only. */
static struct gn_sshconf own(const char *text, const char *alias)
{
    struct gn_ctx ctx = make_ctx();
    struct gn_sshconf c = {0};
    struct gn_sshseen seen = {0};
    struct gn_err err = GN_ERR_INIT;

    put_file("config", text);
    assert_int_equal(gn_sshread_file(&ctx, config_path, alias, NULL, &c, &seen, &err), GN_OK);
    return c;
}

static void the_first_value_wins(void **state)
{
    struct gn_sshconf c = own("Host r*\n  Port 1\nHost rav\n  Port 2\n  User u\nUser w\n", "rav");

    (void)state;
    assert_int_equal(c.port, 1);
    assert_string_equal(c.user, "u");
    gn_sshconf_clear(&c);
}

static void patterns_match_the_name_as_typed(void **state)
{
    struct gn_sshconf c = own("Host rav\n HostName 10.0.0.1\nHost 10.0.0.1\n User wrong\n"
                              "Host rav !x\n User right\n",
                              "rav");

    (void)state;
    assert_string_equal(c.user, "right");
    assert_string_equal(c.hostname, "10.0.0.1");
    gn_sshconf_clear(&c);
    c = own("Host * !rav\n User wrong\nMatch all\n User right\n", "rav");
    assert_string_equal(c.user, "right");
    gn_sshconf_clear(&c);
}

static void match_knows_what_it_can_know(void **state)
{
    struct gn_sshconf c =
        own("Match originalhost r* user me\n Port 1\nMatch exec \"touch ran\"\n "
            "User wrong\nMatch !host rav\n User wrong\nMatch host rav\n User ok\n",
            "rav");

    (void)state;
    assert_int_equal(c.port, 1);
    assert_string_equal(c.user, "ok");
    assert_int_not_equal(access("ran", F_OK), 0);
    gn_sshconf_clear(&c);
}

static void quotes_equals_signs_and_comments(void **state)
{
    struct gn_sshconf c = own("# x\n  \nHost=\"rav\" other\n\tIdentityFile = \"/a b/k\" # no\n"
                              "User=u\nPORT   7\nProxyCommand nc -x \"a b\" %h %p\n",
                              "rav");

    (void)state;
    assert_int_equal(c.identity_files.n, 1);
    assert_string_equal(c.identity_files.v[0], "/a b/k");
    assert_string_equal(c.user, "u");
    assert_int_equal(c.port, 7);
    assert_string_equal(c.proxy_command, "nc -x \"a b\" %h %p");
    gn_sshconf_clear(&c);
}

static void includes_stand_where_they_are_written(void **state)
{
    struct gn_sshconf c;
    char *text = gn_printf("Host rav\n Include %s/inc*\nUser last\nPort 9\n", dir);

    (void)state;
    put_file("inc1", "Port 1\nHost other\n User wrong\n");
    put_file("inc2", "User two\n");
    c = own(text, "rav");
    assert_int_equal(c.port, 1);
    assert_string_equal(c.user, "two");
    gn_sshconf_clear(&c);
    c = own(text, "no");
    assert_null(c.user);
    gn_sshconf_clear(&c);
    free(text);
}

static void an_include_of_itself_ends(void **state)
{
    struct gn_ctx ctx = make_ctx();
    struct gn_sshconf c = {0};
    struct gn_sshseen seen = {0};
    struct gn_err err = GN_ERR_INIT;
    char *text = gn_printf("Include %s\n", config_path);

    (void)state;
    put_file("config", text);
    assert_int_equal(gn_sshread_file(&ctx, config_path, "x", NULL, &c, &seen, &err), GN_E_CONFIG);
    gn_sshconf_clear(&c);
    free(text);
}

static void aliases_are_names_without_wildcards(void **state)
{
    struct gn_ctx ctx = make_ctx();
    struct gn_strs names = GN_STRS_INIT;
    struct gn_err err = GN_ERR_INIT;
    char *text = gn_printf("Host a b* !c\nHost d\n Include %s/inc3\nHost -x \"e f\"\n", dir);

    (void)state;
    put_file("inc3", "Host g\n");
    put_file("config", text);
    assert_int_equal(gn_sshconf_aliases(&ctx, &names, &err), GN_OK);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.v[0], "a");
    assert_string_equal(names.v[1], "d");
    assert_string_equal(names.v[2], "g");
    gn_strs_clear(&names);
    free(text);
}

static void what_nobody_says_is_filled_in(void **state)
{
    struct gn_ctx ctx = make_ctx();
    struct gn_sshconf c;
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    put_file("config", "Host rav\n HostName %h.lab\n IdentityFile ~/k-%r-%n\n");
    assert_int_equal(gn_sshconf_resolve(&ctx, "rav", "s1", 77, &c, &err), GN_OK);
    assert_string_equal(c.hostname, "rav.lab");
    assert_string_equal(c.user, "s1");
    assert_int_equal(c.port, 77);
    assert_non_null(strstr(c.identity_files.v[0], "/k-s1-rav"));
    assert_null(c.ciphers); /* ssh's own defaults are nobody's wish */
    assert_null(c.host_key_algs);
    assert_true(c.user_known_hosts.n >= 1);
    gn_sshconf_clear(&c);
    assert_int_equal(gn_sshconf_resolve(&ctx, "-oProxyCommand=x", NULL, 0, &c, &err), GN_E_CONFIG);
    assert_int_equal(gn_sshconf_resolve(&ctx, "a b", NULL, 0, &c, &err), GN_E_CONFIG);
    assert_int_equal(gn_sshconf_resolve(&ctx, "a", "-x", 0, &c, &err), GN_E_CONFIG);
}

/* --- against ssh --- */

static unsigned long seed = 42;

static unsigned dice(unsigned n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(seed >> 33) % n;
}

static void random_config(struct gn_buf *b)
{
    static const char *const blocks[] = {"Host rav\n",      "Host r*\n",
                                         "Host *\n",        "Host r?v !x\n",
                                         "Host * !rav\n",   "Host other\n",
                                         "Match all\n",     "Match host rav\n",
                                         "Host a,rav\n",    "Match originalhost rav\n",
                                         "Match user s1\n", "Match !host rav\n",
                                         "Host=\"rav\"\n"};
    static const char *const lines[] = {"HostName 10.0.0.%u\n",
                                        "Port %u\n",
                                        "User s%u\n",
                                        "IdentityFile ~/k%u\n",
                                        "Port=%u\n",
                                        "  User \"s%u\"\n",
                                        "ProxyJump g%u\n",
                                        "HostKeyAlias h%u\n",
                                        "IdentitiesOnly yes\n",
                                        "IdentitiesOnly no\n",
                                        "Compression yes\n",
                                        "ConnectTimeout %u\n",
                                        "CertificateFile /c%u\n",
                                        "# comment %u\n",
                                        "StrictHostKeyChecking accept-new\n",
                                        "UserKnownHostsFile /u%u /v\n",
                                        "ServerAliveInterval %u\n",
                                        "HashKnownHosts yes\n",
                                        "BindAddress 127.0.0.%u\n",
                                        "\n"};

    for (unsigned n = 1 + dice(12); n > 0; n--)
        if (dice(3) == 0)
            gn_buf_adds(b, blocks[dice(sizeof blocks / sizeof *blocks)]);
        else {
            const char *line = lines[dice(sizeof lines / sizeof *lines)];
            const char *at = strstr(line, "%u");

            if (!at)
                gn_buf_adds(b, line);
            else
                gn_buf_addf(b, "%.*s%u%s", (int)(at - line), line, 1 + dice(9), at + 2);
        }
}

static void same_text(const char *a, const char *b, const char *what, const char *config)
{
    if (strcmp(a ? a : "", b ? b : "") != 0)
        fail_msg("%s: '%s' is not '%s' in:\n%s", what, a ? a : "", b ? b : "", config);
}

static void same_list(const struct gn_strs *a, const struct gn_strs *b, const char *what,
                      const char *config)
{
    if (a->n != b->n)
        fail_msg("%s: %zu and %zu of them in:\n%s", what, a->n, b->n, config);
    for (size_t i = 0; i < a->n; i++)
        same_text(a->v[i], b->v[i], what, config);
}

static void our_reader_says_what_ssh_says(void **state)
{
    struct gn_ctx ctx = make_ctx();

    (void)state;
    if (system("ssh -G -F /dev/null localhost >/dev/null 2>&1") != 0) {
        print_message("no ssh here to compare with\n");
        skip();
    }
    for (int i = 0; i < 60; i++) {
        struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
        struct gn_sshconf a, b;
        struct gn_err err = GN_ERR_INIT;

        random_config(&text);
        put_file("config", text.ptr);
        assert_int_equal(gn_sshconf_resolve(&ctx, "rav", NULL, 0, &a, &err), GN_OK);
        b = own(text.ptr, "rav");
        same_text(a.hostname, b.hostname ? b.hostname : "rav", "HostName", text.ptr);
        assert_int_equal(a.port, b.port ? b.port : 22);
        if (b.user)
            same_text(a.user, b.user, "User", text.ptr);
        same_text(a.proxy_jump, b.proxy_jump, "ProxyJump", text.ptr);
        same_text(a.host_key_alias, b.host_key_alias, "HostKeyAlias", text.ptr);
        same_text(a.bind_address, b.bind_address, "BindAddress", text.ptr);
        same_list(&a.cert_files, &b.cert_files, "CertificateFile", text.ptr);
        if (b.identity_files.n)
            assert_int_equal(a.identity_files.n, b.identity_files.n);
        if (b.user_known_hosts.n)
            same_list(&a.user_known_hosts, &b.user_known_hosts, "UserKnownHostsFile", text.ptr);
        assert_int_equal(a.identities_only, b.identities_only);
        assert_int_equal(a.compression, b.compression);
        assert_int_equal(a.strict, b.strict);
        assert_int_equal(a.hash_known_hosts, b.hash_known_hosts);
        assert_int_equal(a.connect_timeout_s, b.connect_timeout_s);
        assert_int_equal(a.alive_interval_s, b.alive_interval_s);
        gn_sshconf_clear(&a);
        gn_sshconf_clear(&b);
        gn_buf_clear(&text);
    }
}

/* --- small text --- */

static void jump_specs(void **state)
{
    static const struct {
        const char *spec, *user, *host;
        int port;
    } good[] = {{"gate", NULL, "gate", 0},          {"u@gate:99", "u", "gate", 99},
                {"a@b@gate", "a@b", "gate", 0},     {"[::1]:22", NULL, "::1", 22},
                {"u@[fe80::1]", "u", "fe80::1", 0}, {"fe80::1", NULL, "fe80::1", 0},
                {"ssh://u@gate:2", "u", "gate", 2}};
    static const char *const bad[] = {"",     "-x",     "u@",    "gate:", "gate:0",  "gate:65536",
                                      "[::1", "[::1]x", "@gate", "a b",   "-l@gate", "gate:2x"};
    char *user, *host;
    int port;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(gn_ssh_parse_jump(good[i].spec, &user, &host, &port));
        same_text(user, good[i].user, "user", good[i].spec);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
        free(user);
        free(host);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(gn_ssh_parse_jump(bad[i], &user, &host, &port));
}

static void base64_goes_there_and_back(void **state)
{
    (void)state;
    for (size_t n = 0; n < 40; n++) {
        struct gn_buf text = GN_BUF_INIT(200), back = GN_BUF_INIT(200);
        char data[40];

        for (size_t i = 0; i < n; i++)
            data[i] = (char)(i * 37 + n);
        gn_b64_add(&text, data, n);
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_true(gn_b64_decode(text.ptr, text.len, &back));
        assert_int_equal(back.len, n);
        assert_memory_equal(back.ptr, data, n);
        gn_buf_clear(&text);
        gn_buf_clear(&back);
    }
}

/* RFC 2202, 3: HMAC-SHA1 with a key of 20 times 0xaa would need bytes; the name is text, so test
 * case 1 (key 20 times 0x0b, "Hi There"). */
static void a_hashed_name_is_hmac_sha1(void **state)
{
    struct gn_buf out = GN_BUF_INIT(200);
    uint8_t key[20];

    (void)state;
    memset(key, 0x0b, sizeof key);
    gn_known_hash(key, "Hi There", &out);
    assert_string_equal(out.ptr, "|1|CwsLCwsLCwsLCwsLCwsLCwsLCws=|thcxhlUFcmTii8C2+zeMjvFGvgA=");
    gn_buf_clear(&out);
}

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/gn-sshconf-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    config_path = gn_path_join(dir, "config");
    return chdir(dir);
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"config", "inc1", "inc2", "inc3", "ran"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(names[i]);
    free(config_path);
    return chdir("/") == 0 ? rmdir(dir) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_wins),
        cmocka_unit_test(patterns_match_the_name_as_typed),
        cmocka_unit_test(match_knows_what_it_can_know),
        cmocka_unit_test(quotes_equals_signs_and_comments),
        cmocka_unit_test(includes_stand_where_they_are_written),
        cmocka_unit_test(an_include_of_itself_ends),
        cmocka_unit_test(aliases_are_names_without_wildcards),
        cmocka_unit_test(what_nobody_says_is_filled_in),
        cmocka_unit_test(our_reader_says_what_ssh_says),
        cmocka_unit_test(jump_specs),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(a_hashed_name_is_hmac_sha1),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
