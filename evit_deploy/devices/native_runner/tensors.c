/* Sizes of tensors, and the inputs' bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

size_t element_size(const char *dtype)
{
    static const struct { const char *dtype; size_t size; } sizes[] = {
        {"float32", 4}, {"uint8", 1}, {"int8", 1}, {"uint16", 2}, {"int16", 2}, {"int32", 4}, {"int64", 8},
        {"bool", 1}, {"float16", 2}, {"float64", 8}, {"uint32", 4}, {"uint64", 8},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].dtype, dtype))
            return sizes[i].size;
    fail(WRONG_GRAPH, "unknown dtype '%s'", dtype);
}

/* Open axes have length 1. */
size_t elements(const struct tensor *tensor)
{
    size_t count = 1;
    for (int axis = 0; axis < tensor->rank; axis++)
        count *= tensor->shape[axis] < 0 ? 1 : (size_t)tensor->shape[axis];
    return count;
}

void read_inputs(const char *path, struct graph *graph)
{
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file)
        fail(WRONG_INPUTS, "the inputs cannot be read");
    for (int i = 0; i < graph->input_count; i++) {
        struct tensor *input = &graph->inputs[i];
        input->size = elements(input) * element_size(input->dtype);
        /* Aligned for vector instructions, as the runtimes want it. */
        input->data = aligned_alloc(64, (input->size + 63) / 64 * 64);
        if (!input->data || fread(input->data, 1, input->size, file) != input->size)
            fail(WRONG_INPUTS, "input '%s' needs %zu bytes, more than are given", input->name, input->size);
    }
    if (fgetc(file) != EOF)
        fail(WRONG_INPUTS, "more bytes are given than the inputs have");
    fclose(file);
}
