/* One launch: pin, load, first run, then warm up and take samples, or read the peak of memory. */
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runner.h"

static const struct runtime *const runtimes[] = {&onnxruntime, &litert};

static struct graph graph;
static struct samples warmup, samples;
static int cores[MOST_CORES], core_count;

void fail(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("\n", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    fflush(stderr);
    /* Not `exit`: a runtime's threads may still be at work on what its destructors free. */
    _exit(code);
}

static const struct runtime *find_runtime(const char *name)
{
    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
        if (!strcmp(runtimes[i]->name, name))
            return runtimes[i];
    fail(WRONG_CALL, "unknown runtime '%s'", name);
}

static void *open_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail(NO_LIBRARY, "%s", dlerror());
    return library;
}

static void print_samples(const char *name, const struct samples *of)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < of->count; i++)
        printf("%s%lld", i ? ", " : "", (long long)of->ns[i]);
    printf("]");
}

static void print_facts(const struct runtime *runtime)
{
    const char *version = runtime->version();
    printf("\"version\": ");
    if (version)
        print_text(version);
    else
        printf("null");
    printf(", \"inputs\": ");
    print_tensors(graph.inputs, graph.input_count);
    printf(", \"outputs\": ");
    print_tensors(graph.outputs, graph.output_count);
    printf(", \"cores\": [");
    for (int i = 0; i < core_count; i++)
        printf("%s%d", i ? ", " : "", cores[i]);
    printf("]");
}

static void latency(const struct runtime *runtime, const struct job *job)
{
    struct rusage used_before, used_after;
    warm_up(runtime, job->warmup_runs, job->warmup_s, &warmup);
    int per_sample = runs_per_sample(&warmup);
    printf(", \"before\": ");
    print_state(cores, core_count);
    getrusage(RUSAGE_SELF, &used_before);
    take_samples(runtime, job->runs, job->seconds, per_sample, &samples);
    getrusage(RUSAGE_SELF, &used_after);
    printf(", \"after\": ");
    print_state(cores, core_count);
    printf(", \"steady\": %s, \"runs_per_sample\": %d", is_steady(&warmup) ? "true" : "false", per_sample);
    printf(", \"context_switches\": {\"voluntary\": %ld, \"involuntary\": %ld}",
           used_after.ru_nvcsw - used_before.ru_nvcsw, used_after.ru_nivcsw - used_before.ru_nivcsw);
    print_samples("warmup_ns", &warmup);
    print_samples("samples_ns", &samples);
}

static void measure(const struct runtime *runtime, const struct job *job, int64_t load_ns, long idle_bytes)
{
    read_inputs(job->inputs, &graph);
    runtime->bind(&graph);
    int64_t first_ns = timed_run(runtime);
    if (!strcmp(job->mode, "latency")) {
        printf(", \"load_ns\": %lld, \"first_ns\": %lld", (long long)load_ns, (long long)first_ns);
        latency(runtime, job);
    } else if (!strcmp(job->mode, "memory")) {
        timed_run(runtime);
        timed_run(runtime);
        printf(", \"idle_bytes\": %ld, \"peak_bytes\": %ld", idle_bytes, status_bytes("VmHWM"));
    } else
        fail(WRONG_CALL, "unknown mode '%s'", job->mode);
    runtime->fetch(&graph);
    printf(", \"output_bytes\": [");
    for (int i = 0; i < graph.output_count; i++)
        printf("%s%zu", i ? ", " : "", graph.outputs[i].size);
    printf("]");
}

/* Runtimes write to stdout what they like; what we say there goes through a copy of it. */
static FILE *own_stdout(void)
{
    FILE *own = fdopen(dup(STDOUT_FILENO), "wb");
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return own;
}

int main(int count, char **arguments)
{
    if (count == 2 && !strcmp(arguments[1], "libc"))
        return puts(gnu_get_libc_version()) < 0;
    if (count == 4 && !strcmp(arguments[1], "hold"))
        return hold(arguments[2], arguments[3]);
    struct job job = read_job(count, arguments);
    stdout = own_stdout();
    core_count = pin(job.cores, job.threads, cores);
    end_with_stdin();
    const struct runtime *runtime = find_runtime(job.runtime);
    runtime->open(open_library(job.library));
    long idle_bytes = status_bytes("VmRSS");
    int64_t begin = now_ns();
    runtime->load(&job, &graph);
    int64_t load_ns = now_ns() - begin;
    printf("{");
    print_facts(runtime);
    if (strcmp(job.mode, "describe"))
        measure(runtime, &job, load_ns, idle_bytes);
    printf("}\n");
    for (int i = 0; i < graph.output_count; i++)
        fwrite(graph.outputs[i].data, 1, graph.outputs[i].size, stdout);
    if (fflush(stdout))
        fail(RUN_FAILED, "the result cannot be written");
    _exit(0);
}
