/* fakesh.c - stands where core/remote/sh/ is embedded: the op's name is all the fake needs. */
#define GN_OP(name, parts)                                                                         \
    extern const char gn_sh_##name[];                                                              \
    const char gn_sh_##name[] = "op=" #name "\n";
#include "../../../core/remote/ops.def"
#undef GN_OP

extern const char gn_sh_common[];
const char gn_sh_common[] = "";

extern const char gn_sh_arrive[];
const char gn_sh_arrive[] = "";

extern const char gn_sh_read[];
const char gn_sh_read[] = "";

extern const char gn_sh_site[];
const char gn_sh_site[] = "";

extern const char gn_sh_smi[];
const char gn_sh_smi[] = "";

extern const char gn_sh_work[];
const char gn_sh_work[] = "";
