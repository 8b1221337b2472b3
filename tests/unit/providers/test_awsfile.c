/* Profiles as the vendor's own tools write them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "providers/awsfile.h"

static const char config[] = "# a comment\n"
                             "[default]\n"
                             "region = ap-south-1\n"
                             "output = json\r\n"
                             "s3 =\n"
                             "  region = nowhere\n"
                             "[profile \"x y\"]\n"
                             "Role_ARN=arn:aws:iam::1:role/r\n"
                             "source_profile = default ; not a comment\n"
                             "aws_access_key_id = OLD\n"
                             "aws_session_token = OLDTOKEN\n"
                             "[profile s]\r\n"
                             "sso_session = u\r\n"
                             "sso_account_id = 1\r\n"
                             "[sso-session u]\n"
                             "sso_start_url = https://x.awsapps.com/start\n"
                             "sso_region: eu-central-1\n"
                             "region = us-east-1\n"
                             "[default]\n"
                             "mfa_serial =\n"
                             "[profile defaulted]\n"
                             "region = r\n"
                             "[notaprofile]\n"
                             "region = q\n";
static const char credentials[] = "[default]\n"
                                  "aws_access_key_id = AKIA1\n"
                                  "aws_secret_access_key = a/b+c=d#e\n"
                                  "[x y]\n"
                                  "aws_access_key_id=AKIA2\n"
                                  "aws_secret_access_key=s\n"
                                  ";[hidden]\n"
                                  "[profile z]\n"
                                  "region = r\n";

static void test_a_profile_is_what_both_files_say(void **unused)
{
    struct gn_aws_profile p;

    (void)unused;
    gn_aws_profile_read(config, credentials, "default", &p);
    assert_true(p.found);
    assert_string_equal(p.v[GN_AWS_REGION], "ap-south-1");
    assert_string_equal(p.v[GN_AWS_KEY_ID], "AKIA1");
    assert_string_equal(p.v[GN_AWS_SECRET], "a/b+c=d#e");
    assert_null(p.v[GN_AWS_MFA]);
    gn_aws_profile_clear(&p);
    gn_aws_profile_read(config, credentials, "x y", &p);
    assert_string_equal(p.v[GN_AWS_ROLE], "arn:aws:iam::1:role/r");
    assert_string_equal(p.v[GN_AWS_SOURCE], "default ; not a comment");
    assert_string_equal(p.v[GN_AWS_KEY_ID], "AKIA2");
    assert_null(p.v[GN_AWS_TOKEN]); /* of another key */
    gn_aws_profile_clear(&p);
    gn_aws_profile_read(config, credentials, "s", &p);
    assert_string_equal(p.v[GN_AWS_SSO_URL], "https://x.awsapps.com/start");
    assert_string_equal(p.v[GN_AWS_SSO_REGION], "eu-central-1");
    assert_string_equal(p.v[GN_AWS_SSO_ACCOUNT], "1");
    assert_null(p.v[GN_AWS_REGION]);
    gn_aws_profile_clear(&p);
}

static void test_what_is_no_profile_is_not_found(void **unused)
{
    static const char *const no[] = {"notaprofile", "hidden", "z", "sso-session u", "u", "x", ""};
    struct gn_aws_profile p;

    (void)unused;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        gn_aws_profile_read(config, credentials, no[i], &p);
        assert_false(p.found);
        gn_aws_profile_clear(&p);
    }
}

static void test_words_are_split_as_sh_does(void **unused)
{
    struct gn_strs w = GN_STRS_INIT;

    (void)unused;
    assert_true(gn_aws_words(" \"/opt/a b/p\"  --x 'y \\z' q\\ r \"a\\\"b\\c\" ''", &w));
    assert_int_equal(w.n, 6);
    assert_string_equal(w.v[0], "/opt/a b/p");
    assert_string_equal(w.v[2], "y \\z");
    assert_string_equal(w.v[3], "q r");
    assert_string_equal(w.v[4], "a\"b\\c");
    assert_string_equal(w.v[5], "");
    gn_strs_clear(&w);
    assert_false(gn_aws_words("a 'b", &w));
    gn_strs_clear(&w);
    assert_false(gn_aws_words("  ", &w));
    gn_strs_clear(&w);
}

static void test_times_are_read(void **unused)
{
    (void)unused;
    assert_int_equal(gn_aws_time("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(gn_aws_time("2000-02-29T12:34:56Z"), 951827696);
    assert_int_equal(gn_aws_time("2026-11-27T05:00:00.123Z"), 1795755600);
    assert_int_equal(gn_aws_time("2026-11-27T05:00:00+05:30"), 1795755600 - 19800);
    assert_int_equal(gn_aws_time("2026-11-27T05:00:00-08:00"), 1795755600 + 28800);
    assert_int_equal(gn_aws_time("2024-12-31T23:59:59UTC"), 1735689599);
    assert_int_equal(gn_aws_time("soon"), 0);
    assert_int_equal(gn_aws_time("2026-13-27T05:00:00Z"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_profile_is_what_both_files_say),
        cmocka_unit_test(test_what_is_no_profile_is_not_found),
        cmocka_unit_test(test_words_are_split_as_sh_does),
        cmocka_unit_test(test_times_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
