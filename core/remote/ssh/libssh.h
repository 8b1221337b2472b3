/*
 * libssh.h - what we use of libssh; the only one that includes it.
 */
#ifndef GNRRUN_REMOTE_SSH_LIBSSH_H
#define GNRRUN_REMOTE_SSH_LIBSSH_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h> /* ssh_send_keepalive() */

#include "gnrrun/err.h"

/* Before the first use: GN_E_FAIL when this machine has no libssh. */
GN_MUST int gn_libssh_need(struct gn_err *err);

/* Loaded when needed (gnrrun/lazy.h): each name below then is a pointer to the function. */
#ifdef GN_LIBSSH_SONAME

#define GN_LIBSSH_USED(X)                                                                          \
    X(ssh_channel_cancel_forward)                                                                  \
    X(ssh_channel_change_pty_size)                                                                 \
    X(ssh_channel_close)                                                                           \
    X(ssh_channel_free)                                                                            \
    X(ssh_channel_is_closed)                                                                       \
    X(ssh_channel_is_eof)                                                                          \
    X(ssh_channel_is_open)                                                                         \
    X(ssh_channel_new)                                                                             \
    X(ssh_channel_open_forward)                                                                    \
    X(ssh_channel_open_session)                                                                    \
    X(ssh_channel_read_nonblocking)                                                                \
    X(ssh_channel_read_timeout)                                                                    \
    X(ssh_channel_request_exec)                                                                    \
    X(ssh_channel_request_pty_size)                                                                \
    X(ssh_channel_request_shell)                                                                   \
    X(ssh_channel_send_eof)                                                                        \
    X(ssh_channel_window_size)                                                                     \
    X(ssh_channel_write)                                                                           \
    X(ssh_clean_pubkey_hash)                                                                       \
    X(ssh_connect)                                                                                 \
    X(ssh_event_add_session)                                                                       \
    X(ssh_event_dopoll)                                                                            \
    X(ssh_event_free)                                                                              \
    X(ssh_event_new)                                                                               \
    X(ssh_free)                                                                                    \
    X(ssh_get_cipher_out)                                                                          \
    X(ssh_get_error)                                                                               \
    X(ssh_get_fd)                                                                                  \
    X(ssh_get_fingerprint_hash)                                                                    \
    X(ssh_get_issue_banner)                                                                        \
    X(ssh_get_kex_algo)                                                                            \
    X(ssh_get_poll_flags)                                                                          \
    X(ssh_get_publickey_hash)                                                                      \
    X(ssh_get_server_publickey)                                                                    \
    X(ssh_is_connected)                                                                            \
    X(ssh_key_cmp)                                                                                 \
    X(ssh_key_dup)                                                                                 \
    X(ssh_key_free)                                                                                \
    X(ssh_key_type)                                                                                \
    X(ssh_key_type_to_char)                                                                        \
    X(ssh_known_hosts_parse_line)                                                                  \
    X(ssh_knownhosts_entry_free)                                                                   \
    X(ssh_new)                                                                                     \
    X(ssh_options_set)                                                                             \
    X(ssh_pki_copy_cert_to_privkey)                                                                \
    X(ssh_pki_export_privkey_base64)                                                               \
    X(ssh_pki_export_pubkey_base64)                                                                \
    X(ssh_pki_generate)                                                                            \
    X(ssh_pki_import_cert_file)                                                                    \
    X(ssh_pki_import_privkey_file)                                                                 \
    X(ssh_pki_import_pubkey_file)                                                                  \
    X(ssh_remove_channel_callbacks)                                                                \
    X(ssh_send_ignore)                                                                             \
    X(ssh_send_keepalive)                                                                          \
    X(ssh_service_request)                                                                         \
    X(ssh_set_agent_socket)                                                                        \
    X(ssh_set_blocking)                                                                            \
    X(ssh_set_channel_callbacks)                                                                   \
    X(ssh_set_counters)                                                                            \
    X(ssh_string_free_char)                                                                        \
    X(ssh_userauth_agent)                                                                          \
    X(ssh_userauth_gssapi)                                                                         \
    X(ssh_userauth_kbdint)                                                                         \
    X(ssh_userauth_kbdint_getinstruction)                                                          \
    X(ssh_userauth_kbdint_getname)                                                                 \
    X(ssh_userauth_kbdint_getnprompts)                                                             \
    X(ssh_userauth_kbdint_getprompt)                                                               \
    X(ssh_userauth_kbdint_setanswer)                                                               \
    X(ssh_userauth_list)                                                                           \
    X(ssh_userauth_none)                                                                           \
    X(ssh_userauth_password)                                                                       \
    X(ssh_userauth_publickey)                                                                      \
    X(ssh_userauth_try_publickey)

#define GN_LIBSSH_POINTER(fn) __typeof__(fn) *fn;
extern struct gn_libssh {
    GN_LIBSSH_USED(GN_LIBSSH_POINTER)
} gn_libssh;

#define ssh_channel_cancel_forward         gn_libssh.ssh_channel_cancel_forward
#define ssh_channel_change_pty_size        gn_libssh.ssh_channel_change_pty_size
#define ssh_channel_close                  gn_libssh.ssh_channel_close
#define ssh_channel_free                   gn_libssh.ssh_channel_free
#define ssh_channel_is_closed              gn_libssh.ssh_channel_is_closed
#define ssh_channel_is_eof                 gn_libssh.ssh_channel_is_eof
#define ssh_channel_is_open                gn_libssh.ssh_channel_is_open
#define ssh_channel_new                    gn_libssh.ssh_channel_new
#define ssh_channel_open_forward           gn_libssh.ssh_channel_open_forward
#define ssh_channel_open_session           gn_libssh.ssh_channel_open_session
#define ssh_channel_read_nonblocking       gn_libssh.ssh_channel_read_nonblocking
#define ssh_channel_read_timeout           gn_libssh.ssh_channel_read_timeout
#define ssh_channel_request_exec           gn_libssh.ssh_channel_request_exec
#define ssh_channel_request_pty_size       gn_libssh.ssh_channel_request_pty_size
#define ssh_channel_request_shell          gn_libssh.ssh_channel_request_shell
#define ssh_channel_send_eof               gn_libssh.ssh_channel_send_eof
#define ssh_channel_window_size            gn_libssh.ssh_channel_window_size
#define ssh_channel_write                  gn_libssh.ssh_channel_write
#define ssh_clean_pubkey_hash              gn_libssh.ssh_clean_pubkey_hash
#define ssh_connect                        gn_libssh.ssh_connect
#define ssh_event_add_session              gn_libssh.ssh_event_add_session
#define ssh_event_dopoll                   gn_libssh.ssh_event_dopoll
#define ssh_event_free                     gn_libssh.ssh_event_free
#define ssh_event_new                      gn_libssh.ssh_event_new
#define ssh_free                           gn_libssh.ssh_free
#define ssh_get_cipher_out                 gn_libssh.ssh_get_cipher_out
#define ssh_get_error                      gn_libssh.ssh_get_error
#define ssh_get_fd                         gn_libssh.ssh_get_fd
#define ssh_get_fingerprint_hash           gn_libssh.ssh_get_fingerprint_hash
#define ssh_get_issue_banner               gn_libssh.ssh_get_issue_banner
#define ssh_get_kex_algo                   gn_libssh.ssh_get_kex_algo
#define ssh_get_poll_flags                 gn_libssh.ssh_get_poll_flags
#define ssh_get_publickey_hash             gn_libssh.ssh_get_publickey_hash
#define ssh_get_server_publickey           gn_libssh.ssh_get_server_publickey
#define ssh_is_connected                   gn_libssh.ssh_is_connected
#define ssh_key_cmp                        gn_libssh.ssh_key_cmp
#define ssh_key_dup                        gn_libssh.ssh_key_dup
#define ssh_key_free                       gn_libssh.ssh_key_free
#define ssh_key_type                       gn_libssh.ssh_key_type
#define ssh_key_type_to_char               gn_libssh.ssh_key_type_to_char
#define ssh_known_hosts_parse_line         gn_libssh.ssh_known_hosts_parse_line
#define ssh_knownhosts_entry_free          gn_libssh.ssh_knownhosts_entry_free
#define ssh_new                            gn_libssh.ssh_new
#define ssh_options_set                    gn_libssh.ssh_options_set
#define ssh_pki_copy_cert_to_privkey       gn_libssh.ssh_pki_copy_cert_to_privkey
#define ssh_pki_export_pubkey_base64       gn_libssh.ssh_pki_export_pubkey_base64
#define ssh_pki_export_privkey_base64      gn_libssh.ssh_pki_export_privkey_base64
#define ssh_pki_generate                   gn_libssh.ssh_pki_generate
#define ssh_pki_import_cert_file           gn_libssh.ssh_pki_import_cert_file
#define ssh_pki_import_privkey_file        gn_libssh.ssh_pki_import_privkey_file
#define ssh_pki_import_pubkey_file         gn_libssh.ssh_pki_import_pubkey_file
#define ssh_remove_channel_callbacks       gn_libssh.ssh_remove_channel_callbacks
#define ssh_send_ignore                    gn_libssh.ssh_send_ignore
#define ssh_send_keepalive                 gn_libssh.ssh_send_keepalive
#define ssh_service_request                gn_libssh.ssh_service_request
#define ssh_set_agent_socket               gn_libssh.ssh_set_agent_socket
#define ssh_set_blocking                   gn_libssh.ssh_set_blocking
#define ssh_set_channel_callbacks          gn_libssh.ssh_set_channel_callbacks
#define ssh_set_counters                   gn_libssh.ssh_set_counters
#define ssh_string_free_char               gn_libssh.ssh_string_free_char
#define ssh_userauth_agent                 gn_libssh.ssh_userauth_agent
#define ssh_userauth_gssapi                gn_libssh.ssh_userauth_gssapi
#define ssh_userauth_kbdint                gn_libssh.ssh_userauth_kbdint
#define ssh_userauth_kbdint_getinstruction gn_libssh.ssh_userauth_kbdint_getinstruction
#define ssh_userauth_kbdint_getname        gn_libssh.ssh_userauth_kbdint_getname
#define ssh_userauth_kbdint_getnprompts    gn_libssh.ssh_userauth_kbdint_getnprompts
#define ssh_userauth_kbdint_getprompt      gn_libssh.ssh_userauth_kbdint_getprompt
#define ssh_userauth_kbdint_setanswer      gn_libssh.ssh_userauth_kbdint_setanswer
#define ssh_userauth_list                  gn_libssh.ssh_userauth_list
#define ssh_userauth_none                  gn_libssh.ssh_userauth_none
#define ssh_userauth_password              gn_libssh.ssh_userauth_password
#define ssh_userauth_publickey             gn_libssh.ssh_userauth_publickey
#define ssh_userauth_try_publickey         gn_libssh.ssh_userauth_try_publickey

#endif
#endif
