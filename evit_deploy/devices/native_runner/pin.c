/* Which cores are used: `auto` takes the strongest, as many as there are threads; numbers are taken as they are.
 *
 * The strongest by the scheduler's capacity, else by their top frequency; of equals the last ones, since the
 * first usually serves the interrupts. (The agent's clusters.py also knows the names of core designs.)
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static long read_number(const char *format, int core)
{
    char path[128];
    long value = 0;
    snprintf(path, sizeof path, format, core);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%ld", &value) != 1)
        value = 0;
    if (file)
        fclose(file);
    return value;
}

static long strength(int core)
{
    long capacity = read_number("/sys/devices/system/cpu/cpu%d/cpu_capacity", core);
    return capacity ? capacity : read_number("/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", core);
}

/* Takes the strongest core out of `allowed`. */
static int take_strongest(cpu_set_t *allowed)
{
    int best = -1;
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, allowed) && (best < 0 || strength(core) >= strength(best)))
            best = core;
    if (best >= 0)
        CPU_CLR(best, allowed);
    return best;
}

static cpu_set_t strongest(int threads, cpu_set_t allowed)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < threads; i++) {
        int core = take_strongest(&allowed);
        if (core < 0)
            fail(WRONG_CALL, "--cores auto: there are fewer cores than %d threads; use fewer threads", threads);
        CPU_SET(core, &set);
    }
    return set;
}

static int next_number(const char **text, const char *chosen)
{
    char *end;
    long core = strtol(*text, &end, 10);
    if (end == *text || core < 0 || core >= CPU_SETSIZE)
        fail(WRONG_CALL, "--cores %s: expected auto, or numbers such as 4-7 or 0,2", chosen);
    *text = end;
    return (int)core;
}

static cpu_set_t numbered(const char *chosen)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const char *text = chosen; ; text++) {
        int first = next_number(&text, chosen), last = first;
        if (*text == '-') {
            text++;
            last = next_number(&text, chosen);
        }
        for (int core = first; core <= last; core++)
            CPU_SET(core, &set);
        if (*text != ',')
            break;
    }
    return set;
}

/* Pin this process and every thread that it will start; the cores' numbers go to `cores`, the value is how many. */
int pin(const char *chosen, int threads, int *cores)
{
    cpu_set_t set;
    int count = 0;
    sched_getaffinity(0, sizeof set, &set);
    set = strcmp(chosen, "auto") ? numbered(chosen) : strongest(threads, set);
    if (sched_setaffinity(0, sizeof set, &set))
        fail(WRONG_CALL, "--cores %s: there are no such cores, or they are not ours to use", chosen);
    /* The kernel leaves out, silently, what does not exist. */
    cpu_set_t got;
    sched_getaffinity(0, sizeof got, &got);
    if (!CPU_EQUAL(&set, &got))
        fail(WRONG_CALL, "--cores %s: not all of them exist and are ours to use", chosen);
    for (int core = 0; core < CPU_SETSIZE && core < MOST_CORES; core++)
        if (CPU_ISSET(core, &got))
            cores[count++] = core;
    return count;
}
