/* place.c - where the file of state lies: ours alone, and on what kind of file system. */
#define _DEFAULT_SOURCE /* statfs() and its types on the BSDs and macOS */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/vfs.h>
#endif

#include "gnrrun/fs.h"
#include "state.h"

int gn_place_make_private(const char *dir, const char *path, struct gn_err *err)
{
    struct stat sb;
    int rc, fd;

    rc = gn_fs_mkdirs(dir, 0700, err);
    if (rc)
        return rc;
    if (stat(dir, &sb) || ((sb.st_mode & 0777) != 0700 && chmod(dir, 0700)))
        return gn_err_sys(err, errno, "cannot make '%s' private", dir);

    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        rc = fchmod(fd, 0600) ? gn_err_sys(err, errno, "cannot make '%s' private", path) : GN_OK;
        gn_fs_close(fd);
        return rc;
    }
    if (errno != EEXIST)
        return gn_err_sys(err, errno, "cannot make '%s'", path);
    /* Not opened: closing a descriptor of it would drop this process's locks on it. */
    if (stat(path, &sb))
        return gn_err_sys(err, errno, "cannot look at '%s'", path);
    if (!S_ISREG(sb.st_mode))
        return gn_err_set(err, GN_E_FAIL, "'%s' is not a regular file", path);
    if ((sb.st_mode & 0177) && chmod(path, 0600))
        return gn_err_sys(err, errno, "cannot make '%s' private", path);
    return GN_OK;
}

bool gn_place_is_network_type(unsigned long type)
{
    static const unsigned long network[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x5346414f, /* AFS (OpenAFS) */
        0x6b414653, /* AFS (kernel's) */
        0x73757245, /* Coda */
        0x0bd00bd0, /* Lustre */
        0x47504653, /* GPFS */
        0x19830326, /* BeeGFS */
        0x00c36400, /* Ceph */
        0x01021997, /* 9P */
        0x65735546, /* FUSE: sshfs, GlusterFS and others */
    };

    for (size_t i = 0; i < sizeof network / sizeof *network; i++) {
        if (network[i] == type)
            return true;
    }
    return false;
}

#ifdef __linux__
bool gn_place_is_network(const char *dir)
{
    struct statfs sf;

    return statfs(dir, &sf) == 0 && gn_place_is_network_type((unsigned long)sf.f_type & 0xffffffff);
}
#else
bool gn_place_is_network(const char *dir)
{
    (void)dir;
    return false;
}
#endif
