# How every part of gnrrun is built: warnings, hardening, libraries, and three helpers.

add_library(gn_build INTERFACE)
target_compile_definitions(gn_build INTERFACE _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64)
target_include_directories(gn_build INTERFACE ${CMAKE_SOURCE_DIR}/include)
target_compile_options(gn_build INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wvla -Wwrite-strings -Wcast-qual -Wundef -Wimplicit-fallthrough -Wswitch-enum
    -Wnull-dereference -Wdouble-promotion
    $<$<BOOL:${GN_WERROR}>:-Werror>)
if(GN_SANITIZE)
    target_compile_options(gn_build INTERFACE -fsanitize=${GN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(gn_build INTERFACE -fsanitize=${GN_SANITIZE})
else()
    target_compile_options(gn_build INTERFACE -fstack-protector-strong $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    target_link_options(gn_build INTERFACE $<$<PLATFORM_ID:Linux>:-Wl,-z,relro,-z,now>)
endif()
if(GN_FUZZ)
    target_compile_options(gn_build INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBSSH REQUIRED IMPORTED_TARGET libssh>=0.10)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive>=3.6)
# The shared libarchive brings libxml2 and ICU along: 4 ms at every start.  Of the
# static one only what we use (tar, zstd) is linked.
find_library(ARCHIVE_STATIC NAMES libarchive.a)
add_library(gn_archive INTERFACE)
if(ARCHIVE_STATIC)
    target_link_libraries(gn_archive INTERFACE ${ARCHIVE_STATIC} PkgConfig::ZSTD)
else()
    target_link_libraries(gn_archive INTERFACE PkgConfig::ARCHIVE)
endif()

# gn_room(NAME sources...): one folder of core/ as a library of its own.
function(gn_room name)
    set(there "")
    foreach(f IN LISTS ARGN)
        if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${f})
            list(APPEND there ${f})
        endif()
    endforeach()
    if(NOT there)
        file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.c "typedef int gn_nothing_yet;\n")
        set(there ${CMAKE_CURRENT_BINARY_DIR}/empty.c)
    endif()
    add_library(gn_${name} STATIC ${there})
    target_link_libraries(gn_${name} PUBLIC gn_build)
endfunction()

# gn_unit(NAME libraries...): tests/unit/.../NAME.c, cmocka, one ctest.
function(gn_unit name)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c)
        return()
    endif()
    add_executable(${name} ${name}.c)
    target_link_libraries(${name} PRIVATE ${ARGN} cmocka)
    add_test(NAME unit/${name} COMMAND ${name})
    set_tests_properties(unit/${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# gn_fuzz(NAME libraries...): tests/fuzz/NAME.c with LLVMFuzzerTestOneInput.  With GN_FUZZ a fuzzer,
# otherwise a program that replays corpus/NAME; both are a ctest over the corpus.
function(gn_fuzz name)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c)
        return()
    endif()
    if(GN_FUZZ)
        add_executable(${name} ${name}.c)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        set(args -runs=0)
    else()
        add_executable(${name} ${name}.c ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
        set(args "")
    endif()
    target_link_libraries(${name} PRIVATE ${ARGN})
    add_test(NAME fuzz/${name} COMMAND ${name} ${args} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

# gn_embed(TARGET NAME files...): the files' text as `const char gn_NAME_<stem>[]`, whole-line comments and
# indentation dropped (they would travel with every command).
function(gn_embed target name)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}_embedded.c)
    set(paths "")
    foreach(f IN LISTS ARGN)
        if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${f})
            list(APPEND paths ${CMAKE_CURRENT_SOURCE_DIR}/${f})
        else()
            file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${f} "exit 1\n")
            list(APPEND paths ${CMAKE_CURRENT_BINARY_DIR}/${f})
        endif()
    endforeach()
    list(JOIN paths "|" joined)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DPREFIX=gn_${name}_ "-DFILES=${joined}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
        DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
