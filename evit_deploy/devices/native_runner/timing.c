/* When a launch is warm, and its samples. The rules and their constants are those of benchmarks/passes.py. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runner.h"

enum { STEADY_GROUP = 5 };
static const double steady_tolerance = 0.05;
static const int64_t shortest_sample_ns = 50000;

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void run_or_fail(const struct runtime *runtime)
{
    const char *error = runtime->run();
    if (error)
        fail(RUN_FAILED, "%s", error);
}

int64_t timed_run(const struct runtime *runtime)
{
    int64_t begin = now_ns();
    run_or_fail(runtime);
    return now_ns() - begin;
}

void take_samples(const struct runtime *runtime, int runs, double seconds, int per_sample, struct samples *to)
{
    int64_t end = now_ns() + (int64_t)(1e9 * seconds);
    to->count = 0;
    while (to->count < MOST_SAMPLES && (to->count < runs || now_ns() < end)) {
        int64_t begin = now_ns();
        for (int i = 0; i < per_sample; i++)
            run_or_fail(runtime);
        to->ns[to->count] = (now_ns() - begin) / per_sample;
        to->count++;
    }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of some samples that end `behind` ones before the last; at most ten. */
static double median(const struct samples *of, int count, int behind)
{
    int64_t sorted[2 * STEADY_GROUP];
    memcpy(sorted, of->ns + of->count - behind - count, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
}

bool is_steady(const struct samples *samples)
{
    if (samples->count < 2 * STEADY_GROUP)
        return false;
    double last = median(samples, STEADY_GROUP, 0), previous = median(samples, STEADY_GROUP, STEADY_GROUP);
    double change = last > previous ? last - previous : previous - last;
    return change <= steady_tolerance * previous;
}

/* At least so many runs and seconds, then until steady, but never more than four times as long. */
void warm_up(const struct runtime *runtime, int runs, double seconds, struct samples *to)
{
    take_samples(runtime, runs, seconds, 1, to);
    int64_t limit = now_ns() + (int64_t)(3e9 * seconds);
    while (!is_steady(to) && now_ns() < limit && to->count < MOST_SAMPLES)
        to->ns[to->count++] = timed_run(runtime);
}

int runs_per_sample(const struct samples *warmup)
{
    int count = warmup->count < 2 * STEADY_GROUP ? warmup->count : 2 * STEADY_GROUP;
    double last = count ? median(warmup, count, 0) : shortest_sample_ns;
    return last < shortest_sample_ns ? (int)((shortest_sample_ns + last - 1) / last) : 1;
}
