/* ONNX files, through libonnxruntime.so of the wheel `onnxruntime`, on its CPU provider.
 *
 * Its interface is one table of functions, to which versions only ever add at the end. Those used here are all
 * in version 7 (ONNX Runtime 1.7, of 2021); a library that does not give that version any more says so. The
 * numbers are places in that table.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

enum { API_VERSION = 7 };
enum { LOG_ERRORS_ONLY = 3, ARENA_ALLOCATOR = 1, DEFAULT_MEMORY = 0 };

typedef void *handle;  /* OrtEnv *, OrtSession *, OrtValue * ... */
typedef void *status;  /* NULL where all went well */

struct api {
    void *unused_0[2];
    const char *(*error_message)(status);                                      /* 2 */
    status (*create_env)(int level, const char *id, handle *);
    void *unused_4[3];
    status (*create_session)(handle env, const char *path, handle options, handle *);  /* 7 */
    void *unused_8[2];
    status (*create_session_options)(handle *);                                /* 10 */
    void *unused_11[12];
    status (*set_optimization_level)(handle options, int level);               /* 23 */
    status (*set_intra_op_threads)(handle options, int);
    status (*set_inter_op_threads)(handle options, int);
    void *unused_26[4];
    status (*input_count)(handle session, size_t *);                           /* 30 */
    status (*output_count)(handle session, size_t *);
    void *unused_32;
    status (*input_type)(handle session, size_t, handle *);                    /* 33 */
    status (*output_type)(handle session, size_t, handle *);
    void *unused_35;
    status (*input_name)(handle session, size_t, handle allocator, char **);   /* 36 */
    status (*output_name)(handle session, size_t, handle allocator, char **);
    void *unused_38[11];
    status (*create_tensor)(handle memory, void *data, size_t, const int64_t *shape, size_t rank, int type,
                            handle *);                                         /* 49 */
    void *unused_50;
    status (*tensor_data)(handle value, void **);                              /* 51 */
    void *unused_52[3];
    status (*tensor_info_of_type)(handle type, handle *);                      /* 55 */
    void *unused_56[4];
    status (*element_type)(handle tensor_info, int *);                         /* 60 */
    status (*rank)(handle tensor_info, size_t *);
    status (*shape)(handle tensor_info, int64_t *, size_t rank);
    void *unused_63;
    status (*element_count)(handle tensor_info, size_t *);                     /* 64 */
    status (*tensor_info_of_value)(handle value, handle *);
    void *unused_66[3];
    status (*create_cpu_memory_info)(int allocator, int kind, handle *);       /* 69 */
    void *unused_70[8];
    status (*default_allocator)(handle *);                                     /* 78 */
    void *unused_79[51];
    status (*add_config_entry)(handle options, const char *key, const char *value);  /* 130 */
    void *unused_131[2];
    status (*run_with_binding)(handle session, handle options, handle binding);  /* 133 */
    status (*create_binding)(handle session, handle *);
    void *unused_135;
    status (*bind_input)(handle binding, const char *name, handle value);      /* 136 */
    void *unused_137;
    status (*bind_output_to_memory)(handle binding, const char *name, handle memory);  /* 138 */
    void *unused_139;
    status (*bound_outputs)(handle binding, handle allocator, handle **, size_t *);  /* 140 */
};
_Static_assert(offsetof(struct api, bound_outputs) == 140 * sizeof(void *), "a place was miscounted");
_Static_assert(offsetof(struct api, default_allocator) == 78 * sizeof(void *), "a place was miscounted");

struct api_base {
    const struct api *(*get_api)(uint32_t version);
    const char *(*version)(void);
};

/* By ONNXTensorElementDataType; NULL for what has no fixed size. */
static const char *const dtypes[] = {NULL, "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", NULL,
                                     "bool", "float16", "float64", "uint32", "uint64"};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

static const struct api_base *base;
static const struct api *api;
static handle session, binding, memory, allocator;

static void check(status s, enum exit_code code)
{
    if (s)
        fail(code, "%s", api->error_message(s));
}

static void open_library(void *library)
{
    const struct api_base *(*get_base)(void) = (const struct api_base *(*)(void))dlsym(library, "OrtGetApiBase");
    if (!get_base)
        fail(NO_LIBRARY, "it is not ONNX Runtime's library: %s", dlerror());
    base = get_base();
    api = base->get_api(API_VERSION);
    if (!api)
        fail(NO_LIBRARY, "ONNX Runtime %s has no interface of version %d", base->version(), API_VERSION);
}

static void describe(handle type, const char *name, struct tensor *to)
{
    handle info = NULL;
    size_t rank;
    int element;
    check(api->tensor_info_of_type(type, &info), WRONG_GRAPH);
    if (!info)
        fail(WRONG_GRAPH, "'%s' is not a tensor", name);
    check(api->element_type(info, &element), WRONG_GRAPH);
    check(api->rank(info, &rank), WRONG_GRAPH);
    if (rank > MOST_AXES || element < 0 || element >= DTYPES || !dtypes[element])
        fail(WRONG_GRAPH, "'%s' has rank %zu and element type %d, which cannot be fed here", name, rank, element);
    check(api->shape(info, to->shape, rank), WRONG_GRAPH);
    for (size_t axis = 0; axis < rank; axis++)
        if (to->shape[axis] < 0)
            to->shape[axis] = -1;
    snprintf(to->name, sizeof to->name, "%s", name);
    to->dtype = dtypes[element];
    to->rank = (int)rank;
}

static void describe_all(struct graph *graph)
{
    size_t inputs, outputs;
    handle type;
    char *name;
    check(api->input_count(session, &inputs), WRONG_GRAPH);
    check(api->output_count(session, &outputs), WRONG_GRAPH);
    if (inputs > MOST_TENSORS || outputs > MOST_TENSORS)
        fail(WRONG_GRAPH, "it has %zu inputs and %zu outputs, more than can be fed here", inputs, outputs);
    for (size_t i = 0; i < inputs; i++) {
        check(api->input_name(session, i, allocator, &name), WRONG_GRAPH);
        check(api->input_type(session, i, &type), WRONG_GRAPH);
        describe(type, name, &graph->inputs[i]);
    }
    for (size_t i = 0; i < outputs; i++) {
        check(api->output_name(session, i, allocator, &name), WRONG_GRAPH);
        check(api->output_type(session, i, &type), WRONG_GRAPH);
        describe(type, name, &graph->outputs[i]);
    }
    graph->input_count = (int)inputs;
    graph->output_count = (int)outputs;
}

/* "optimization" is ours, all other settings are ONNX Runtime's own. */
static void set(handle options, const struct entry *entry)
{
    if (!strcmp(entry->key, "optimization"))
        check(api->set_optimization_level(options, atoi(entry->value)), WRONG_CALL);
    else
        check(api->add_config_entry(options, entry->key, entry->value), WRONG_CALL);
}

static void load(const struct job *job, struct graph *graph)
{
    handle env, options;
    check(api->create_env(LOG_ERRORS_ONLY, "native_runner", &env), NO_LIBRARY);
    check(api->create_session_options(&options), NO_LIBRARY);
    check(api->set_intra_op_threads(options, job->threads), WRONG_CALL);
    check(api->set_inter_op_threads(options, 1), WRONG_CALL);
    for (int i = 0; i < job->entry_count; i++)
        set(options, &job->entries[i]);
    check(api->create_session(env, job->graph, options, &session), WRONG_GRAPH);
    check(api->default_allocator(&allocator), NO_LIBRARY);
    check(api->create_cpu_memory_info(ARENA_ALLOCATOR, DEFAULT_MEMORY, &memory), NO_LIBRARY);
    describe_all(graph);
}

static void bind_input(struct tensor *input)
{
    int type = 0;
    int64_t shape[MOST_AXES];
    handle value;
    while (!dtypes[type] || strcmp(dtypes[type], input->dtype))
        type++;
    for (int axis = 0; axis < input->rank; axis++)
        shape[axis] = input->shape[axis] < 0 ? 1 : input->shape[axis];
    check(api->create_tensor(memory, input->data, input->size, shape, input->rank, type, &value), WRONG_INPUTS);
    check(api->bind_input(binding, input->name, value), WRONG_INPUTS);
}

/* As the Python package does it: outputs stay in the runtime's own memory. */
static void bind(struct graph *graph)
{
    check(api->create_binding(session, &binding), RUN_FAILED);
    for (int i = 0; i < graph->input_count; i++)
        bind_input(&graph->inputs[i]);
    for (int i = 0; i < graph->output_count; i++)
        check(api->bind_output_to_memory(binding, graph->outputs[i].name, memory), RUN_FAILED);
}

static const char *run(void)
{
    status s = api->run_with_binding(session, NULL, binding);
    return s ? api->error_message(s) : NULL;
}

static void fetch(struct graph *graph)
{
    handle *values, info;
    size_t count, length;
    check(api->bound_outputs(binding, allocator, &values, &count), RUN_FAILED);
    for (size_t i = 0; i < count; i++) {
        check(api->tensor_data(values[i], &graph->outputs[i].data), RUN_FAILED);
        check(api->tensor_info_of_value(values[i], &info), RUN_FAILED);
        check(api->element_count(info, &length), RUN_FAILED);
        graph->outputs[i].size = length * element_size(graph->outputs[i].dtype);
    }
}

static const char *version(void)
{
    return base->version();
}

const struct runtime onnxruntime = {"onnxruntime", open_library, load, bind, run, fetch, version};
