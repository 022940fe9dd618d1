/* other_clock - a wall clock that is an hour ahead, for a program that is started with this in LD_PRELOAD
 *
 * Not faketime: it does not get along with jemalloc.
 */

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at)
{
    int told = (int) syscall(SYS_clock_gettime, clock, at);
    if (told == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += 3600;
    return told;
}
