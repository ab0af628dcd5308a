/* TFLite files, through libLiteRt.so of the wheel `ai-edge-litert`, on the CPU with XNNPACK.
 *
 * The interface has no version of its own and is still changing: LiteRtCreateModelFromFile got its first
 * argument in 2.x. What is declared here was tried with 2.3.0, and runner_libraries.py refuses wheels that were not.
 * The library has the newer interface only (CompiledModel); the classic one (Interpreter), which the agent
 * uses unless told otherwise, is in Python's own extension modules. Both run the same kernels.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

enum { CPU = 1, READ = 0, WRITE = 1, SIGNATURE = 0 };

typedef void *handle;

/* A tensor's type: `flags` has the rank in its lowest seven bits. */
struct tensor_type {
    int32_t element;
    uint32_t flags;
    int32_t shape[MOST_AXES];
    uint32_t strides[MOST_AXES];
};

/* X(name, arguments): every function returns 0 where all went well. */
#define FUNCTIONS(X) \
    X(CreateEnvironment, int, const void *, handle *) \
    X(CreateModelFromFile, handle, const char *, handle *) \
    X(CreateOptions, handle *) \
    X(SetOptionsHardwareAccelerators, handle, int) \
    X(CreateOpaqueOptions, const char *, void *, void (*)(void *), handle *) \
    X(AddOpaqueOptions, handle, handle) \
    X(CreateCompiledModel, handle, handle, handle, handle *) \
    X(GetModelSignature, handle, size_t, handle *) \
    X(GetNumSignatureInputs, handle, size_t *) \
    X(GetNumSignatureOutputs, handle, size_t *) \
    X(GetSignatureInputName, handle, size_t, const char **) \
    X(GetSignatureOutputName, handle, size_t, const char **) \
    X(GetSignatureInputTensorByIndex, handle, size_t, handle *) \
    X(GetSignatureOutputTensorByIndex, handle, size_t, handle *) \
    X(GetRankedTensorType, handle, struct tensor_type *) \
    X(GetCompiledModelInputBufferRequirements, handle, size_t, size_t, handle *) \
    X(GetCompiledModelOutputBufferRequirements, handle, size_t, size_t, handle *) \
    X(CreateManagedTensorBufferFromRequirements, handle, const struct tensor_type *, handle, handle *) \
    X(GetTensorBufferPackedSize, handle, size_t *) \
    X(LockTensorBuffer, handle, void **, int) \
    X(UnlockTensorBuffer, handle) \
    X(RunCompiledModel, handle, size_t, size_t, handle *, size_t, handle *)

static struct {
#define DECLARE(name, ...) int (*name)(__VA_ARGS__);
    FUNCTIONS(DECLARE)
} api;

static handle environment, signature, model;
static struct tensor_type input_types[MOST_TENSORS], output_types[MOST_TENSORS];
static handle inputs[MOST_TENSORS], outputs[MOST_TENSORS];
static size_t input_count, output_count;

/* By LiteRtElementType, whose numbers are those of TFLite; NULL for what has no fixed size. */
static const char *const dtypes[] = {NULL, "float32", "int32", "uint8", "int64", NULL, "bool", "int16", NULL,
                                     "int8", "float16", "float64"};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

#define CHECK(code, name, ...) check(code, #name, api.name(__VA_ARGS__))

static void check(enum exit_code code, const char *name, int status)
{
    if (status)
        fail(code, "LiteRt%s failed with status %d", name, status);
}

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found)
        fail(NO_LIBRARY, "this LiteRT is another one than this program was made for: %s", dlerror());
    return found;
}

static void open_library(void *library)
{
#define RESOLVE(name, ...) api.name = (int (*)(__VA_ARGS__))symbol(library, "LiteRt" #name);
    FUNCTIONS(RESOLVE)
}

/* The CPU's options travel as TOML, as `num_threads = 2` and `kernel_mode = "builtin"`. */
static handle options_of(const struct job *job)
{
    handle options, own;
    char *text = malloc(1024);
    int length = snprintf(text, 1024, "num_threads = %d\n", job->threads);
    for (int i = 0; i < job->entry_count; i++)
        length += snprintf(text + length, 1024 - length, "%s = %s\n", job->entries[i].key, job->entries[i].value);
    CHECK(NO_LIBRARY, CreateOptions, &options);
    CHECK(NO_LIBRARY, SetOptionsHardwareAccelerators, options, CPU);
    CHECK(WRONG_CALL, CreateOpaqueOptions, "xnnpack", text, free, &own);
    CHECK(WRONG_CALL, AddOpaqueOptions, options, own);
    return options;
}

static void describe(handle tensor, const char *name, struct tensor_type *type, struct tensor *to)
{
    CHECK(WRONG_GRAPH, GetRankedTensorType, tensor, type);
    uint32_t rank = type->flags & 0x7f;
    if (rank > MOST_AXES || type->element < 0 || type->element >= DTYPES || !dtypes[type->element])
        fail(WRONG_GRAPH, "'%s' has rank %u and element type %d, which cannot be fed here", name, rank,
             type->element);
    for (uint32_t axis = 0; axis < rank; axis++)
        to->shape[axis] = type->shape[axis];
    snprintf(to->name, sizeof to->name, "%s", name);
    to->dtype = dtypes[type->element];
    to->rank = (int)rank;
}

static void describe_all(struct graph *graph)
{
    handle tensor;
    const char *name;
    CHECK(WRONG_GRAPH, GetNumSignatureInputs, signature, &input_count);
    CHECK(WRONG_GRAPH, GetNumSignatureOutputs, signature, &output_count);
    if (input_count > MOST_TENSORS || output_count > MOST_TENSORS)
        fail(WRONG_GRAPH, "it has %zu inputs and %zu outputs, more than can be fed here", input_count,
             output_count);
    for (size_t i = 0; i < input_count; i++) {
        CHECK(WRONG_GRAPH, GetSignatureInputName, signature, i, &name);
        CHECK(WRONG_GRAPH, GetSignatureInputTensorByIndex, signature, i, &tensor);
        describe(tensor, name, &input_types[i], &graph->inputs[i]);
    }
    for (size_t i = 0; i < output_count; i++) {
        CHECK(WRONG_GRAPH, GetSignatureOutputName, signature, i, &name);
        CHECK(WRONG_GRAPH, GetSignatureOutputTensorByIndex, signature, i, &tensor);
        describe(tensor, name, &output_types[i], &graph->outputs[i]);
    }
    graph->input_count = (int)input_count;
    graph->output_count = (int)output_count;
}

static void load(const struct job *job, struct graph *graph)
{
    handle file;
    CHECK(NO_LIBRARY, CreateEnvironment, 0, NULL, &environment);
    CHECK(WRONG_GRAPH, CreateModelFromFile, environment, job->graph, &file);
    CHECK(WRONG_GRAPH, CreateCompiledModel, environment, file, options_of(job), &model);
    CHECK(WRONG_GRAPH, GetModelSignature, file, SIGNATURE, &signature);
    describe_all(graph);
}

static void fill(handle buffer, const struct tensor *from)
{
    void *memory;
    size_t size;
    CHECK(RUN_FAILED, GetTensorBufferPackedSize, buffer, &size);
    if (size != from->size)
        fail(WRONG_INPUTS, "input '%s' has %zu bytes, %zu are given", from->name, size, from->size);
    CHECK(RUN_FAILED, LockTensorBuffer, buffer, &memory, WRITE);
    memcpy(memory, from->data, size);
    CHECK(RUN_FAILED, UnlockTensorBuffer, buffer);
}

static void bind(struct graph *graph)
{
    handle wanted;
    for (size_t i = 0; i < input_count; i++) {
        CHECK(RUN_FAILED, GetCompiledModelInputBufferRequirements, model, SIGNATURE, i, &wanted);
        CHECK(RUN_FAILED, CreateManagedTensorBufferFromRequirements, environment, &input_types[i], wanted,
              &inputs[i]);
        fill(inputs[i], &graph->inputs[i]);
    }
    for (size_t i = 0; i < output_count; i++) {
        CHECK(RUN_FAILED, GetCompiledModelOutputBufferRequirements, model, SIGNATURE, i, &wanted);
        CHECK(RUN_FAILED, CreateManagedTensorBufferFromRequirements, environment, &output_types[i], wanted,
              &outputs[i]);
    }
}

static const char *run(void)
{
    static char error[64];
    int status = api.RunCompiledModel(model, SIGNATURE, input_count, inputs, output_count, outputs);
    if (!status)
        return NULL;
    snprintf(error, sizeof error, "LiteRtRunCompiledModel failed with status %d", status);
    return error;
}

/* The buffers stay locked, and so their memory ours, to the end of the process. */
static void fetch(struct graph *graph)
{
    for (size_t i = 0; i < output_count; i++) {
        CHECK(RUN_FAILED, GetTensorBufferPackedSize, outputs[i], &graph->outputs[i].size);
        CHECK(RUN_FAILED, LockTensorBuffer, outputs[i], &graph->outputs[i].data, READ);
    }
}

static const char *version(void)
{
    return NULL;
}

const struct runtime litert = {"litert", open_library, load, bind, run, fetch, version};
