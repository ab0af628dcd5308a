/* What goes into the line of JSON. */
#include <stdio.h>
#include <string.h>

#include "runner.h"

static void print_number(const char *format, int core)
{
    char path[128];
    long value;
    snprintf(path, sizeof path, format, core);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%ld", &value) == 1)
        printf("\"%d\": %ld", core, value);
    else
        printf("\"%d\": null", core);
    if (file)
        fclose(file);
}

static void print_by_core(const char *name, const char *format, const int *cores, int count)
{
    printf("\"%s\": {", name);
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "", stdout);
        print_number(format, cores[i]);
    }
    printf("}");
}

/* As `machine_state` of benchmarks/state.py, as far as throttling is decided by it. */
void print_state(const int *cores, int count)
{
    printf("{");
    print_by_core("khz", "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", cores, count);
    printf(", ");
    print_by_core("limit_khz", "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_max_freq", cores, count);
    printf(", \"throttle\": {}}");
}

void print_text(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    putchar('"');
}

void print_tensors(const struct tensor *tensors, int count)
{
    printf("[");
    for (int i = 0; i < count; i++) {
        printf("%s{\"name\": ", i ? ", " : "");
        print_text(tensors[i].name);
        printf(", \"dtype\": \"%s\", \"quantization\": null, \"shape\": [", tensors[i].dtype);
        for (int axis = 0; axis < tensors[i].rank; axis++)
            printf("%s%lld", axis ? ", " : "", (long long)tensors[i].shape[axis]);
        printf("]}");
    }
    printf("]");
}

/* A field of /proc/self/status in bytes; -1 where there is none. */
long status_bytes(const char *field)
{
    char line[256];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, strlen(field)) && sscanf(line + strlen(field), ": %ld", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes < 0 ? -1 : kilobytes * 1024;
}
