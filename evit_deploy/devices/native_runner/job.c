/* The words of the command line. */
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static void read_option(struct job *job, const char *key, const char *value)
{
    const struct { const char *key, **text; int *count; double *seconds; } options[] = {
        {"runtime", &job->runtime, NULL, NULL}, {"library", &job->library, NULL, NULL},
        {"graph", &job->graph, NULL, NULL}, {"mode", &job->mode, NULL, NULL},
        {"inputs", &job->inputs, NULL, NULL}, {"cores", &job->cores, NULL, NULL},
        {"threads", NULL, &job->threads, NULL}, {"warmup_runs", NULL, &job->warmup_runs, NULL},
        {"runs", NULL, &job->runs, NULL}, {"warmup_s", NULL, NULL, &job->warmup_s},
        {"seconds", NULL, NULL, &job->seconds},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].key, key))
            continue;
        if (options[i].text)
            *options[i].text = value;
        else if (options[i].count)
            *options[i].count = atoi(value);
        else
            *options[i].seconds = atof(value);
        return;
    }
    fail(WRONG_CALL, "unknown argument '%s'", key);
}

/* KEY=VALUE..., keys as in `struct job`; what begins with "set:" is for the runtime. */
struct job read_job(int count, char **arguments)
{
    struct job job = {.threads = 1, .cores = "auto"};
    for (int i = 1; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (!equals)
            fail(WRONG_CALL, "got '%s', expected KEY=VALUE", arguments[i]);
        *equals = '\0';
        if (strncmp(arguments[i], "set:", 4))
            read_option(&job, arguments[i], equals + 1);
        else if (job.entry_count == MOST_ENTRIES)
            fail(WRONG_CALL, "more than %d settings", MOST_ENTRIES);
        else
            job.entries[job.entry_count++] = (struct entry){arguments[i] + 4, equals + 1};
    }
    if (!job.runtime || !job.library || !job.graph || !job.mode)
        fail(WRONG_CALL, "runtime, library, graph and mode must be given");
    return job;
}
