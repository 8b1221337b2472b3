# Run at every build: writes version.h anew only when the commit has changed.
set(GN_COMMIT "")
find_package(Git QUIET)
if(GIT_FOUND AND EXISTS ${SOURCE}/.git)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} rev-parse --short=12 HEAD
        OUTPUT_VARIABLE GN_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
configure_file(${SOURCE}/cli/version.h.in ${OUT} @ONLY)
