/* Calls of the C library that fail when asked to: loaded with LD_PRELOAD, armed by tests/faults_libc.py.

   What is counted are calls on files of the store and its outputs; those of the import system, which touch other
   folders, are passed through. The state lies in shared memory: the process that failed is asked by its parent. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ERROR = 1, SHORT, INTERRUPT, KILL, MEDIUM, TRUNCATE, REPLACE, GROW, EINTR_ONCE };
enum { MAX_CALLS = 1 << 17, MAX_FD = 4096, BLOCK = 4096 };

struct shared {
    long count, at;
    int on, way, code, sick;
    unsigned long sick_inode;
    long sick_block;
    char victim[4096], other[4096], failed[256], skip[8][512];
    unsigned char names[MAX_CALLS];
};
static struct shared *state;
static void (*listener)(long); /* is told of each call that counts */
static int left; /* this process is none of those whose calls are counted */
static char ignored[MAX_FD]; /* descriptors of files that are none of ours */

#define NAMES(X) \
    X(open) X(close) X(read) X(pread) X(preadv) X(write) X(pwrite) X(fsync) X(link) X(unlink) X(rename) X(stat) \
    X(lstat) X(fstat) X(fchown) X(fchmod) X(chmod) X(statvfs) X(ftruncate) X(lseek) X(mkdir) X(rmdir) X(scandir) \
    X(readdir) X(dup) X(copy_file_range) X(sendfile) X(posix_fadvise) X(readlink) X(fcntl) X(flock) X(ioctl) X(look) X(make)
enum {
#define X(name) N_##name,
    NAMES(X)
#undef X
};
#define X(name) #name,
static const char *const words[] = {NAMES(X)};
#undef X

__attribute__((constructor)) static void begin(void) {
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED) abort();
}

void faults_skip(int number, const char *path) { snprintf(state->skip[number & 7], 512, "%s", path); }

void faults_arm(long at, int way, int code, const char *victim, const char *other) {
    state->count = 0, state->at = at, state->way = way, state->code = code, state->sick = 0, state->failed[0] = 0;
    snprintf(state->victim, sizeof state->victim, "%s", victim);
    snprintf(state->other, sizeof state->other, "%s", other);
    state->on = 1;
}

void faults_disarm(void) { state->on = 0; }
void faults_leave(void) { left = 1; }
void faults_stay(void) { left = 0; }
void faults_listen(void (*told)(long)) { listener = told; }
long faults_count(void) { return state->count; }
const unsigned char *faults_calls(void) { return state->names; }
const char *faults_failed(void) { return state->failed; }
const char *faults_word(int name) { return words[name]; }

static int foreign(const char *path) {
    if (path && path[0] == '/')
        for (int i = 0; i < 8 && state->skip[i][0]; i++)
            if (!strncmp(path, state->skip[i], strlen(state->skip[i]))) return 1;
    return 0;
}

static int aside(int fd) { return fd >= 0 && fd < MAX_FD && ignored[fd]; }

static void disturb(void) {
    struct stat info;
    if (state->way == TRUNCATE && !syscall(SYS_stat, state->victim, &info)) {
        if (syscall(SYS_truncate, state->victim, info.st_size / 2)) state->failed[0] = '!';
    } else if (state->way == REPLACE) {
        if (syscall(SYS_rename, state->other, state->victim)) state->failed[0] = '!';
    } else if (state->way == GROW) {
        static const char more[100];
        int fd = syscall(SYS_open, state->victim, O_WRONLY | O_APPEND);
        if (syscall(SYS_write, fd, more, sizeof more) != sizeof more) state->failed[0] = '!';
        syscall(SYS_close, fd);
    }
}

static int regular(int fd, unsigned long *inode) {
    struct stat info;
    if (syscall(SYS_fstat, fd, &info) || !S_ISREG(info.st_mode)) return 0;
    *inode = info.st_ino;
    return 1;
}

static int is_read(int name) { return name == N_read || name == N_pread || name == N_preadv; }

static int moves_bytes(int name) {
    return is_read(name) || name == N_write || name == N_pwrite || name == N_copy_file_range || name == N_sendfile;
}

/* What a call does instead: 0 as always, 1 only one byte, -1 fails with errno. */
static int meets(int name, int fd, const char *path, long at, long n) {
    if (!state || !state->on || left || aside(fd) || (fd < 0 && foreign(path))) return 0;
    long number = __atomic_add_fetch(&state->count, 1, __ATOMIC_SEQ_CST); /* a copy is hashed by a thread */
    if (number < MAX_CALLS)
        state->names[number - 1] = name == N_pread && n == 42 && at == 0 ? N_look
                                   : name == N_open && n & (O_WRONLY | O_RDWR | O_CREAT) ? N_make
                                                                                          : name;
    if (listener) listener(number);
    if (state->sick && is_read(name)) {
        unsigned long inode;
        long where = at >= 0 ? at : syscall(SYS_lseek, fd, 0, SEEK_CUR);
        if (regular(fd, &inode) && inode == state->sick_inode && where < state->sick_block + BLOCK &&
            state->sick_block < where + n) {
            errno = EIO;
            return -1;
        }
    }
    if (number != state->at) return 0;
    snprintf(state->failed, sizeof state->failed, "%s(%d, %.150s, %ld, %ld)", words[name], fd, path ? path : "", n, at);
    switch (state->way) {
    case ERROR:
        errno = state->code;
        return -1;
    case EINTR_ONCE:
        if (!moves_bytes(name) && name != N_open && name != N_fsync) return 0;
        errno = EINTR;
        return -1;
    case SHORT: return moves_bytes(name);
    case KILL: kill(getpid(), SIGKILL); return 0;
    case INTERRUPT: kill(getpid(), SIGINT); return 0;
    case MEDIUM:
        if (!is_read(name) || !regular(fd, &state->sick_inode)) return 0;
        at = at >= 0 ? at : syscall(SYS_lseek, fd, 0, SEEK_CUR);
        state->sick = 1, state->sick_block = at - at % BLOCK;
        errno = EIO;
        return -1;
    default: disturb(); return 0;
    }
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* by path */
static int opened(int fd, const char *path) {
    if (fd >= 0 && fd < MAX_FD) ignored[fd] = foreign(path);
    return fd;
}

#define OPEN(symbol) \
    int symbol(const char *path, int flags, ...) { \
        REAL(int, symbol, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        int mode = va_arg(rest, int); \
        va_end(rest); \
        return meets(N_open, -1, path, 0, flags) < 0 ? -1 : opened(real(path, flags, mode), path); \
    }
#define OPENAT(symbol) \
    int symbol(int folder, const char *path, int flags, ...) { \
        REAL(int, symbol, int, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        int mode = va_arg(rest, int); \
        va_end(rest); \
        return meets(N_open, -1, path, 0, flags) < 0 ? -1 : opened(real(folder, path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(int, close, int);
    int bad = meets(N_close, fd, NULL, 0, 0), code = errno;
    if (fd >= 0 && fd < MAX_FD) ignored[fd] = 0;
    int done = real(fd); /* one that fails closes all the same */
    if (bad >= 0) return done;
    errno = code;
    return -1;
}

#define PATH1(symbol, name, type) \
    int symbol(const char *path, type more) { \
        REAL(int, symbol, const char *, type); \
        return meets(name, -1, path, 0, 0) < 0 ? -1 : real(path, more); \
    }
#define PATH0(symbol, name) \
    int symbol(const char *path) { \
        REAL(int, symbol, const char *); \
        return meets(name, -1, path, 0, 0) < 0 ? -1 : real(path); \
    }
#define FD1(symbol, name, type, length) \
    int symbol(int fd, type more) { \
        REAL(int, symbol, int, type); \
        return meets(name, fd, NULL, 0, length) < 0 ? -1 : real(fd, more); \
    }
PATH1(stat, N_stat, struct stat *)
PATH1(stat64, N_stat, struct stat64 *)
PATH1(lstat, N_lstat, struct stat *)
PATH1(lstat64, N_lstat, struct stat64 *)
PATH1(statvfs, N_statvfs, struct statvfs *)
PATH1(statvfs64, N_statvfs, struct statvfs64 *)
PATH1(mkdir, N_mkdir, mode_t)
PATH1(chmod, N_chmod, mode_t)
PATH1(rename, N_rename, const char *)
PATH1(link, N_link, const char *)
PATH0(unlink, N_unlink)
PATH0(rmdir, N_rmdir)
FD1(fstat, N_fstat, struct stat *, 0)
FD1(fstat64, N_fstat, struct stat64 *, 0)
FD1(fchmod, N_fchmod, mode_t, 0)
FD1(ftruncate, N_ftruncate, off_t, more)
FD1(ftruncate64, N_ftruncate, off64_t, more)

#define STATAT(symbol, type) \
    int symbol(int folder, const char *path, type *info, int flags) { \
        REAL(int, symbol, int, const char *, type *, int); \
        int name = flags & AT_SYMLINK_NOFOLLOW ? N_lstat : N_stat; \
        return meets(name, -1, path, 0, 0) < 0 ? -1 : real(folder, path, info, flags); \
    }
STATAT(fstatat, struct stat)
STATAT(fstatat64, struct stat64)

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    return meets(flags & AT_REMOVEDIR ? N_rmdir : N_unlink, -1, path, 0, 0) < 0 ? -1 : real(folder, path, flags);
}

int renameat(int from, const char *path, int to, const char *name) {
    REAL(int, renameat, int, const char *, int, const char *);
    return meets(N_rename, -1, path, 0, 0) < 0 ? -1 : real(from, path, to, name);
}

int linkat(int from, const char *path, int to, const char *name, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    return meets(N_link, -1, path, 0, 0) < 0 ? -1 : real(from, path, to, name, flags);
}

ssize_t readlink(const char *path, char *room, size_t n) {
    REAL(ssize_t, readlink, const char *, char *, size_t);
    return meets(N_readlink, -1, path, 0, n) < 0 ? -1 : real(path, room, n);
}

DIR *opendir(const char *path) {
    REAL(DIR *, opendir, const char *);
    return meets(N_scandir, -1, path, 0, 0) < 0 ? NULL : real(path);
}

DIR *fdopendir(int fd) {
    REAL(DIR *, fdopendir, int);
    return meets(N_scandir, fd, NULL, 0, 0) < 0 ? NULL : real(fd);
}

struct dirent64 *readdir64(DIR *folder) {
    REAL(struct dirent64 *, readdir64, DIR *);
    return meets(N_readdir, dirfd(folder), NULL, 0, 0) < 0 ? NULL : real(folder);
}

/* by descriptor */
#define MOVES(symbol, name, room, offset) \
    ssize_t symbol(int fd, room data, size_t n, offset at) { \
        REAL(ssize_t, symbol, int, room, size_t, offset); \
        int how = meets(name, fd, NULL, at, n); \
        return how < 0 ? -1 : real(fd, data, how && n ? 1 : n, at); \
    }
MOVES(pread, N_pread, void *, off_t)
MOVES(pread64, N_pread, void *, off64_t)
MOVES(pwrite, N_pwrite, const void *, off_t)
MOVES(pwrite64, N_pwrite, const void *, off64_t)

ssize_t read(int fd, void *data, size_t n) {
    REAL(ssize_t, read, int, void *, size_t);
    int how = meets(N_read, fd, NULL, -1, n);
    return how < 0 ? -1 : real(fd, data, how && n ? 1 : n);
}

ssize_t write(int fd, const void *data, size_t n) {
    REAL(ssize_t, write, int, const void *, size_t);
    int how = meets(N_write, fd, NULL, -1, n);
    return how < 0 ? -1 : real(fd, data, how && n ? 1 : n);
}

static long all_of(const struct iovec *parts, int count) {
    long n = 0;
    for (int i = 0; i < count; i++) n += parts[i].iov_len;
    return n;
}

/* Past the page cache whole blocks are read, of one of which none or more come. */
static ssize_t little(off64_t at, ssize_t wanted, ssize_t done) {
    ssize_t least = at % BLOCK || wanted % BLOCK ? 1 : BLOCK;
    return done < least ? done : least;
}

ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags) {
    REAL(ssize_t, preadv64v2, int, const struct iovec *, int, off64_t, int);
    int how = meets(N_preadv, fd, NULL, at, all_of(parts, count));
    ssize_t done = how < 0 ? -1 : real(fd, parts, count, at, flags);
    return how > 0 ? little(at, all_of(parts, count), done) : done;
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
    return preadv64v2(fd, parts, count, at, flags);
}

ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t at) {
    REAL(ssize_t, preadv64, int, const struct iovec *, int, off64_t);
    int how = meets(N_preadv, fd, NULL, at, all_of(parts, count));
    ssize_t done = how < 0 ? -1 : real(fd, parts, count, at);
    return how > 0 ? little(at, all_of(parts, count), done) : done;
}

ssize_t preadv(int fd, const struct iovec *parts, int count, off_t at) { return preadv64(fd, parts, count, at); }

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t n, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    int how = meets(N_copy_file_range, from, NULL, at ? *at : -1, n);
    return how < 0 ? -1 : real(from, at, to, there, how && n ? 1 : n, flags);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t n) {
    REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
    int how = meets(N_sendfile, from, NULL, at ? *at : -1, n);
    return how < 0 ? -1 : real(to, from, at, how && n ? 1 : n);
}

ssize_t sendfile(int to, int from, off_t *at, size_t n) { return sendfile64(to, from, at, n); }

int fsync(int fd) {
    REAL(int, fsync, int);
    return meets(N_fsync, fd, NULL, 0, 0) < 0 ? -1 : real(fd);
}

int flock(int fd, int how) {
    REAL(int, flock, int, int);
    return meets(N_flock, fd, NULL, 0, how) < 0 ? -1 : real(fd, how);
}

int ioctl(int fd, unsigned long what, ...) {
    REAL(int, ioctl, int, unsigned long, ...);
    va_list rest;
    va_start(rest, what);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    unsigned long inode; /* the size of a terminal is asked of what is none of ours */
    return regular(fd, &inode) && meets(N_ioctl, fd, NULL, 0, 0) < 0 ? -1 : real(fd, what, argument);
}

int fchown(int fd, uid_t owner, gid_t group) {
    REAL(int, fchown, int, uid_t, gid_t);
    return meets(N_fchown, fd, NULL, 0, 0) < 0 ? -1 : real(fd, owner, group);
}

off64_t lseek64(int fd, off64_t at, int whence) {
    REAL(off64_t, lseek64, int, off64_t, int);
    return meets(N_lseek, fd, NULL, at, whence) < 0 ? -1 : real(fd, at, whence);
}

off_t lseek(int fd, off_t at, int whence) { return lseek64(fd, at, whence); }

int posix_fadvise64(int fd, off64_t at, off64_t n, int advice) {
    REAL(int, posix_fadvise64, int, off64_t, off64_t, int);
    return meets(N_posix_fadvise, fd, NULL, at, n) < 0 ? errno : real(fd, at, n, advice);
}

int posix_fadvise(int fd, off_t at, off_t n, int advice) { return posix_fadvise64(fd, at, n, advice); }

int dup(int fd) {
    REAL(int, dup, int);
    int bad = meets(N_dup, fd, NULL, 0, 0);
    return bad < 0 ? -1 : real(fd);
}

#define FCNTL(symbol) \
    int symbol(int fd, int command, ...) { \
        REAL(int, symbol, int, int, ...); \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        int counts = command == F_GETLK || command == F_SETLK || command == F_DUPFD_CLOEXEC; \
        return counts && meets(N_fcntl, fd, NULL, command, 0) < 0 ? -1 : real(fd, command, argument); \
    }
FCNTL(fcntl)
FCNTL(fcntl64)
