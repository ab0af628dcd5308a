/* What ties this process to whoever started it, and the lock of the device.
 *
 * Our stdin is the other end of the connection: when it ends, nobody waits for our answer any more.
 *
 * The lock file is the one that the agent takes (see evit_deploy/lock.py for the rules that both keep): `flock`
 * decides, so the lock goes with the process; the text in the file is for the message to whoever has to wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner.h"

static void *await_end(void *nothing)
{
    char bytes[64];
    ssize_t got;
    do
        got = read(STDIN_FILENO, bytes, sizeof bytes);
    while (got > 0 || (got < 0 && errno == EINTR));
    _exit(NOBODY_WAITS);
    return nothing;
}

/* A thread that sleeps until then; nothing is polled. */
void end_with_stdin(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    if (pthread_create(&thread, &attributes, await_end, NULL))
        fail(WRONG_CALL, "no thread can be started");
}

static const char *lock_path(void)
{
    static const char *const folders[] = {"/run/lock", "/tmp", "/data/local/tmp"};
    static char path[PATH_MAX];
    const char *folder = getenv("EVIT_LOCK_FOLDER");
    struct stat found;
    for (size_t i = 0; (!folder || !*folder) && i < sizeof folders / sizeof *folders; i++)
        if (i == 2 || (!stat(folders[i], &found) && found.st_mode & S_IWOTH))
            folder = folders[i];
    snprintf(path, sizeof path, "%s/evit-deploy.lock", folder);
    return path;
}

static int open_lock(const char *path)
{
    for (;;) {
        int file = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (file >= 0 || errno != ENOENT)
            return file;
        file = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_CREAT | O_EXCL, 0666);
        if (file >= 0)
            fchmod(file, 0666);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
}

/* {"holder": null} where the lock is ours, {"holder": TEXT} where it is another's. */
static void print_holder(int file, bool ours)
{
    char text[4096];
    ssize_t length = ours ? 0 : pread(file, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    printf("{\"holder\": ");
    if (ours)
        printf("null");
    else
        print_text(text);
    printf("}\n");
    fflush(stdout);
}

/* Hold the lock until stdin ends; `how` is "try" or "wait", `owner` what others shall read. */
int hold(const char *how, const char *owner)
{
    const char *path = lock_path();
    int file = open_lock(path);
    if (file < 0)
        fail(NO_LOCK, "the lock %s cannot be opened: %s", path, strerror(errno));
    end_with_stdin();
    bool ours = !flock(file, strcmp(how, "wait") ? LOCK_EX | LOCK_NB : LOCK_EX);
    if (ours && (ftruncate(file, 0) || pwrite(file, owner, strlen(owner), 0) < 0))
        fail(NO_LOCK, "the lock %s cannot be written: %s", path, strerror(errno));
    print_holder(file, ours);
    while (ours)
        pause();
    return 0;
}
