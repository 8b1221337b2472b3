/* fuzz_xml.c - an answer in XML: whatever it is, it ends, and what is in the tree is text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_xml *x = NULL;

    if (gn_xml_parse((const char *)data, size, &x, &err) == GN_OK) {
        const struct gn_xml *item = gn_xml_get(x, "reservationSet/item");

        if (!*gn_xml_name(x))
            abort();
        for (; item; item = gn_xml_next(item))
            if (strlen(gn_xml_text(item, "instancesSet/item/instanceId")) > size)
                abort();
        gn_xml_free(x);
    } else if (!err.code || !*err.msg) {
        abort();
    }
    return 0;
}
