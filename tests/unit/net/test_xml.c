/* An answer in XML, and what only looks like one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "gnrrun/buf.h"
#include "gnrrun/xml.h"

static int parse(const char *text, struct gn_xml **out)
{
    struct gn_err err = GN_ERR_INIT;

    return gn_xml_parse(text, strlen(text), out, &err);
}

static void test_what_is_there_is_found(void **unused)
{
    struct gn_xml *x = NULL;
    const struct gn_xml *item;

    (void)unused;
    assert_int_equal(parse("<?xml version='1.0' encoding='UTF-8'?>\n"
                           "<R xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>\n"
                           "  <set><item><id>a</id><a:tag xmlns:a='urn:x'>1 &lt; 2</a:tag></item>\n"
                           "  <other/><item><id><![CDATA[b]]></id></item></set><e/></R>",
                           &x),
                     GN_OK);
    assert_string_equal(gn_xml_name(x), "R");
    item = gn_xml_get(x, "set/item");
    assert_string_equal(gn_xml_text(item, "id"), "a");
    assert_string_equal(gn_xml_text(item, "tag"), "1 < 2");
    item = gn_xml_next(item);
    assert_string_equal(gn_xml_text(item, "id"), "b");
    assert_null(gn_xml_next(item));
    assert_string_equal(gn_xml_text(x, "set/item/id"), "a");
    assert_string_equal(gn_xml_text(x, "e"), "");
    assert_string_equal(gn_xml_text(x, "se"), "");
    assert_string_equal(gn_xml_text(x, "set"), "");
    assert_null(gn_xml_get(NULL, "set"));
    gn_xml_free(x);
    gn_xml_free(NULL);
}

static void test_what_is_no_xml_is_refused(void **unused)
{
    static const char *const bad[] = {"",
                                      "<html><body>504</html>",
                                      "<a><b></a>",
                                      "<a/><a/>",
                                      "{\"a\": 1}",
                                      "<a>\xff</a>",
                                      "<a>&nbsp;</a>",
                                      "<a"};
    struct gn_xml *x = NULL;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(bad[i], &x), GN_E_PROTO);
    assert_null(x);
}

static void test_bombs_are_refused(void **unused)
{
    struct gn_buf b = GN_BUF_INIT((size_t)16 << 20);
    struct gn_xml *x = NULL;

    (void)unused;
    assert_int_equal(parse("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", &x), GN_E_LIMIT);
    for (int i = 0; i < 100; i++)
        gn_buf_adds(&b, "<a>");
    assert_int_equal(parse(b.ptr, &x), GN_E_LIMIT);
    gn_buf_reset(&b);
    gn_buf_adds(&b, "<a>");
    for (int i = 0; i < 300000; i++)
        gn_buf_adds(&b, "<b/>");
    gn_buf_adds(&b, "</a>");
    assert_int_equal(parse(b.ptr, &x), GN_E_LIMIT);
    gn_buf_reset(&b);
    gn_buf_adds(&b, "<a>");
    for (int i = 0; i < 300000; i++)
        gn_buf_adds(&b, "12345678");
    gn_buf_adds(&b, "</a>");
    assert_int_equal(parse(b.ptr, &x), GN_E_LIMIT);
    assert_null(x);
    gn_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_there_is_found),
        cmocka_unit_test(test_what_is_no_xml_is_refused),
        cmocka_unit_test(test_bombs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
