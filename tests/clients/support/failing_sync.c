/* In front of the C library: fsync and fdatasync of files below OCSPREY_TEST_SYNC_FOLDER fail with the error number
   OCSPREY_TEST_SYNC_ERRNO as long as the file OCSPREY_TEST_SYNC_FLAG is there. Tests build it and preload it. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(int file) {
    const char *flag = getenv("OCSPREY_TEST_SYNC_FLAG");
    const char *folder = getenv("OCSPREY_TEST_SYNC_FOLDER");
    const char *number = getenv("OCSPREY_TEST_SYNC_ERRNO");
    char link[64], path[PATH_MAX];
    if (!flag || !folder || !number || access(flag, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder))) return 0;
    errno = atoi(number);
    return 1;
}

int fsync(int file) { return fails(file) ? -1 : syscall(SYS_fsync, file); }

int fdatasync(int file) { return fails(file) ? -1 : syscall(SYS_fdatasync, file); }
