/* native_runner: one launch on a device without Python, as the agent makes one (see benchmarks/passes.py).
 *
 *     native_runner KEY=VALUE...      see `struct job`
 *     native_runner libc              prints the version of glibc
 *     native_runner hold HOW OWNER    holds the device's lock: see hold.c
 *
 * Writes one line of JSON to stdout, and behind it the bytes of all outputs; or says on stderr what is wrong,
 * in its last line, and ends with one of the exit codes below. The runtimes' libraries are those of their
 * Python wheels, opened at run time. No header of theirs is needed: the part of each interface that is used
 * is declared in onnxruntime.c and litert.c, with the versions that it is of.
 *
 * Build: cc -O2 -pthread *.c -ldl, with any glibc from 2.17 on.
 */
#ifndef NATIVE_RUNNER_H
#define NATIVE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_TENSORS = 16, MOST_AXES = 8, MOST_ENTRIES = 8, MOST_SAMPLES = 20000,
       MOST_CORES = 1024 };

/* Read by runner_job.py. */
enum exit_code { WRONG_CALL = 2, WRONG_GRAPH = 3, RUN_FAILED = 4, NO_LIBRARY = 5, WRONG_INPUTS = 6, NO_LOCK = 7,
                 NOBODY_WAITS = 8 };

struct entry { const char *key, *value; };

struct job {
    const char *runtime, *library, *graph, *mode;
    const char *inputs;                  /* raw bytes of all inputs, in order; may be missing for "describe" */
    const char *cores;                   /* "auto", or numbers such as "4-7" or "0,2" */
    int threads, warmup_runs, runs;
    double warmup_s, seconds;
    struct entry entries[MOST_ENTRIES];  /* settings of the runtime itself */
    int entry_count;
};

/* `shape` has -1 for open axes; at run time they have length 1. `size` is that of `data` in bytes. */
struct tensor {
    char name[256];
    const char *dtype;                   /* numpy's name */
    int rank;
    int64_t shape[MOST_AXES];
    size_t size;
    void *data;
};

/* A loaded graph. */
struct graph {
    struct tensor inputs[MOST_TENSORS], outputs[MOST_TENSORS];
    int input_count, output_count;
};

/* A runtime. All but `run` end the program where they fail. */
struct runtime {
    const char *name;
    void (*open)(void *library);
    void (*load)(const struct job *, struct graph *);
    void (*bind)(struct graph *);        /* the inputs' `data` is filled */
    const char *(*run)(void);            /* one inference; what is wrong, or NULL */
    void (*fetch)(struct graph *);       /* fills the outputs' `data` and `size` */
    const char *(*version)(void);        /* NULL where the library does not say */
};

extern const struct runtime onnxruntime, litert;

/* What timing one graph gave; all in nanoseconds per run. */
struct samples {
    int64_t ns[MOST_SAMPLES];
    int count;
};

struct job read_job(int count, char **arguments);
void end_with_stdin(void);
int hold(const char *how, const char *owner);
int pin(const char *chosen, int threads, int *cores);

int64_t now_ns(void);
int64_t timed_run(const struct runtime *);
void warm_up(const struct runtime *, int runs, double seconds, struct samples *);
void take_samples(const struct runtime *, int runs, double seconds, int per_sample, struct samples *);
bool is_steady(const struct samples *);
int runs_per_sample(const struct samples *);

void print_state(const int *cores, int count);
void print_text(const char *);
void print_tensors(const struct tensor *, int count);
long status_bytes(const char *field);

void fail(enum exit_code, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
size_t element_size(const char *dtype);
size_t elements(const struct tensor *);
void read_inputs(const char *path, struct graph *);

#endif
