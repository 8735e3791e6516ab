/* Lets every fsync and fdatasync of a process take SYNC_DELAY_MS longer: a slow disk, by LD_PRELOAD. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_for_the_disk(void)
{
    const char *text = getenv("SYNC_DELAY_MS");
    double ms = text ? atof(text) : 0;
    struct timespec left = {(time_t)(ms / 1000), 0};
    left.tv_nsec = (long)((ms - left.tv_sec * 1000.0) * 1e6);
    while (nanosleep(&left, &left) != 0)
        ; /* a signal woke it */
}

int fdatasync(int file)
{
    int (*synced)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_the_disk();
    return synced(file);
}

int fsync(int file)
{
    int (*synced)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_the_disk();
    return synced(file);
}
