/* count_instructions: a QEMU TCG plugin that counts AArch64 instructions by class inside marked regions.
 *
 * A guest marks a region by two system calls that fail on every kernel and change nothing:
 *     getpriority(0x524F4901, id)    begin region `id`
 *     getpriority(0x524F4902, id)    end it
 * Each region becomes one JSON line in the file given as `out=FILE`:
 *     {"region": 1, "classes": {"branch": 10, ...}}
 * and with the further argument `mnemonics=on`
 *     {"region": 1, "classes": {...}, "mnemonics": {"fmla.4s": 5, ...}}
 *
 * How: QEMU translates guest code in blocks that always run from their first instruction. Each block has a
 * counter that QEMU increments inline (no call), and a histogram of its instructions by class, made once when
 * it is translated. At the end of a region: sum of counter x histogram over all blocks.
 * For mnemonics QEMU's disassembler is asked once for each instruction translated, and nothing when it runs.
 * The counters are not atomic, so totals are exact for one guest thread only, which is all we measure.
 *
 * Build: cc -O2 -fPIC -shared count_instructions.c -o count_instructions.so
 * The part of QEMU's plugin interface that is used is declared here, so its header is not needed. It is that of
 * interface version 1 (QEMU 4.2 to 8.2; Debian 12 has 7.2).
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- QEMU's plugin interface, version 1 ------------------------------------------------------------- */

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
} qemu_info_t;

enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*tb_trans_cb)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*syscall_cb)(qemu_plugin_id_t, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                           uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
typedef void (*exit_cb)(qemu_plugin_id_t, void *);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_trans_cb);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, syscall_cb);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, exit_cb, void *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = 1;

/* ---- Instruction classes ------------------------------------------------------------------------------ */

enum class {
    INTEGER_IMM, INTEGER_REG, BRANCH, SYSTEM, LOAD, STORE, PREFETCH, ATOMIC, SIMD_LOAD, SIMD_STORE,
    FP_SCALAR, SIMD_FMA_FP32, SIMD_FMA_FP16, SIMD_DOT_INT8, SIMD_MATMUL_INT8, SIMD_BF16, SIMD_OTHER,
    SVE, SME, OTHER, CLASSES
};

static const char *const class_names[CLASSES] = {
    "integer_imm", "integer_reg", "branch", "system", "load", "store", "prefetch", "atomic", "simd_load",
    "simd_store", "fp_scalar", "simd_fma_fp32", "simd_fma_fp16", "simd_dot_int8", "simd_matmul_int8",
    "simd_bf16", "simd_other", "sve", "sme", "other"
};

/* The first row with (word & mask) == value names the class. Encodings: Arm Architecture Reference Manual for
 * A-profile, chapter C4, "A64 instruction set encoding". */
static const struct { uint32_t mask, value; enum class class; } patterns[] = {
    /* Data processing, immediate and register; branches; system. */
    { 0x1c000000, 0x10000000, INTEGER_IMM },
    { 0x0e000000, 0x0a000000, INTEGER_REG },
    { 0xfe000000, 0xd4000000, SYSTEM },             /* exceptions, hints, barriers, MSR/MRS ... */
    { 0x1c000000, 0x14000000, BRANCH },             /* ... (0xd6/0xd7, branch to register, end up here) */

    /* Advanced SIMD arithmetic that neural networks are made of: vector form, then by-element form. */
    { 0xbf60fc00, 0x0e20cc00, SIMD_FMA_FP32 },      /* FMLA, FMLS .2S .4S */
    { 0xbfc0b400, 0x0f801000, SIMD_FMA_FP32 },
    { 0xbf60fc00, 0x0e400c00, SIMD_FMA_FP16 },      /* FMLA, FMLS .4H .8H */
    { 0xbfc0b400, 0x0f001000, SIMD_FMA_FP16 },
    { 0x9fe0fc00, 0x0e809400, SIMD_DOT_INT8 },      /* SDOT, UDOT */
    { 0x9fc0f400, 0x0f80e000, SIMD_DOT_INT8 },
    { 0xbfe0fc00, 0x0e809c00, SIMD_DOT_INT8 },      /* USDOT */
    { 0xbf40f400, 0x0f00f000, SIMD_DOT_INT8 },      /* USDOT, SUDOT by element */
    { 0xdfe0fc00, 0x4e80a400, SIMD_MATMUL_INT8 },   /* SMMLA, UMMLA */
    { 0xffe0fc00, 0x4e80ac00, SIMD_MATMUL_INT8 },   /* USMMLA */
    { 0xffe0fc00, 0x6e40ec00, SIMD_BF16 },          /* BFMMLA */
    { 0xbfe0fc00, 0x2e40fc00, SIMD_BF16 },          /* BFDOT */
    { 0xbfc0f400, 0x0f40f000, SIMD_BF16 },
    { 0xbfe0fc00, 0x2ec0fc00, SIMD_BF16 },          /* BFMLALB, BFMLALT */
    { 0xbfc0f400, 0x0fc0f000, SIMD_BF16 },
    { 0x5e000000, 0x1e000000, FP_SCALAR },
    { 0x0e000000, 0x0e000000, SIMD_OTHER },

    /* Memory. Prefetches and atomics first: they lie among the loads. */
    { 0xffc00000, 0xf9800000, PREFETCH },           /* PRFM, immediate */
    { 0xffe00c00, 0xf8a00800, PREFETCH },           /* PRFM, register */
    { 0xffe00c00, 0xf8800000, PREFETCH },           /* PRFUM */
    { 0xff000000, 0xd8000000, PREFETCH },           /* PRFM, literal */
    { 0x3fa00000, 0x08a00000, ATOMIC },             /* CAS */
    { 0xbfa00000, 0x08200000, ATOMIC },             /* CASP */
    { 0x3ffffc00, 0x38bfc000, LOAD },               /* LDAPR */
    { 0x3f200c00, 0x38200000, ATOMIC },             /* LDADD ... SWP */
    { 0xbe400000, 0x0c400000, SIMD_LOAD },          /* LD1 ... LD4 */
    { 0xbe400000, 0x0c000000, SIMD_STORE },
    { 0x3f400000, 0x08400000, LOAD },               /* exclusive, ordered */
    { 0x3f400000, 0x08000000, STORE },
    { 0x3f000000, 0x1c000000, SIMD_LOAD },          /* literal */
    { 0x3f000000, 0x18000000, LOAD },
    { 0x3fc00000, 0x19000000, STORE },              /* ordered, unscaled offset */
    { 0x3f000000, 0x19000000, LOAD },
    { 0x3e400000, 0x2c400000, SIMD_LOAD },          /* pairs */
    { 0x3e400000, 0x2c000000, SIMD_STORE },
    { 0x3e400000, 0x28400000, LOAD },
    { 0x3e400000, 0x28000000, STORE },
    { 0x3e400000, 0x3c400000, SIMD_LOAD },          /* single registers */
    { 0x3e400000, 0x3c000000, SIMD_STORE },
    { 0x3ec00000, 0x38000000, STORE },
    { 0x3e000000, 0x38000000, LOAD },

    { 0x1e000000, 0x04000000, SVE },
    { 0x9e000000, 0x80000000, SME },
    { 0x00000000, 0x00000000, OTHER },
};

static enum class classify(uint32_t word)
{
    size_t row = 0;
    while ((word & patterns[row].mask) != patterns[row].value)
        row++;
    return patterns[row].class;
}

/* ---- Mnemonics ------------------------------------------------------------------------------------------- */

enum { NAME = 32, MOST_NAMES = 4096 };

static char names[MOST_NAMES][NAME];
static size_t names_known;
static bool with_mnemonics;

/* "fmla v0.4s, v1.4s, v2.s[0]" -> "fmla.4s", "ldp q0, q1, [x0]" -> "ldp.q": the first word, and how the first
 * operand is arranged. */
static void shorten(const char *text, char *name)
{
    size_t length = strcspn(text, " \t"), arranged;
    const char *operand = text + length + strspn(text + length, " \t{");
    const char *end = operand + strcspn(operand, " ,}");

    if (length >= NAME / 2)
        length = NAME / 2 - 1;
    memcpy(name, text, length);
    name[length] = 0;
    if (operand + 1 < end && strchr("qdshb", operand[0]) && operand[1] >= '0' && operand[1] <= '9') {
        name[length] = '.';
        name[length + 1] = operand[0];
        name[length + 2] = 0;
        return;
    }
    operand = memchr(operand, '.', (size_t)(end - operand));
    if (!operand)
        return;
    arranged = strspn(operand, ".0123456789bhsdq");
    if (arranged >= NAME / 2)
        arranged = NAME / 2 - 1;
    memcpy(name + length, operand, arranged);
    name[length + arranged] = 0;
}

/* The number of an instruction's mnemonic. Debian 12's disassembler does not know what is newer than ARMv8.1
 * (it says ".byte"): then the class has to do. Called with the lock held. */
static uint16_t mnemonic(const struct qemu_plugin_insn *insn, enum class class)
{
    char name[NAME] = "", *text = qemu_plugin_insn_disas(insn);
    size_t number = 0;

    if (text && text[0] != '.')
        shorten(text, name);
    else
        snprintf(name, NAME, "(%s)", class_names[class]);
    free(text);
    while (number < names_known && strcmp(names[number], name))
        number++;
    if (number == MOST_NAMES)
        abort();
    if (number == names_known)
        strcpy(names[names_known++], name);
    return (uint16_t)number;
}

/* ---- Blocks and regions --------------------------------------------------------------------------------- */

struct block {
    uint64_t runs;              /* since the region began; QEMU's generated code adds to it */
    struct block *next;
    uint16_t count[CLASSES];
    size_t length;              /* of mnemonics: one for each instruction; 0 where nobody asked */
    uint16_t *mnemonics;
};

static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *out;

static void name_instructions(struct block *block, const struct qemu_plugin_tb *tb)
{
    block->length = qemu_plugin_tb_n_insns(tb);
    block->mnemonics = calloc(block->length, sizeof *block->mnemonics);
    if (!block->mnemonics)
        abort();
    for (size_t i = 0; i < block->length; i++) {
        const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
        block->mnemonics[i] = mnemonic(insn, classify(word));
    }
}

/* A block is translated: classify its instructions and have its runs counted. */
static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof *block);
    (void)id;
    if (!block)
        abort();
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof word);
        block->count[classify(word)]++;
    }
    pthread_mutex_lock(&lock);
    if (with_mnemonics)
        name_instructions(block, tb);
    block->next = blocks;
    blocks = block;
    pthread_mutex_unlock(&lock);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block->runs, 1);
}

static void begin_region(void)
{
    for (struct block *block = blocks; block; block = block->next)
        block->runs = 0;
}

static void write_mnemonics(void)
{
    static uint64_t total[MOST_NAMES];
    const char *separator = "";

    memset(total, 0, sizeof total);
    for (struct block *block = blocks; block; block = block->next)
        for (size_t i = 0; block->runs && i < block->length; i++)
            total[block->mnemonics[i]] += block->runs;
    fprintf(out, ", \"mnemonics\": {");
    for (size_t number = 0; number < names_known; number++) {
        if (!total[number])
            continue;
        fprintf(out, "%s\"%s\": %llu", separator, names[number], (unsigned long long)total[number]);
        separator = ", ";
    }
    fprintf(out, "}");
}

static void end_region(unsigned id)
{
    uint64_t total[CLASSES] = { 0 };
    const char *separator = "";

    for (struct block *block = blocks; block; block = block->next)
        for (int class = 0; block->runs && class < CLASSES; class++)
            total[class] += block->runs * block->count[class];
    fprintf(out, "{\"region\": %u, \"classes\": {", id);
    for (int class = 0; class < CLASSES; class++) {
        if (!total[class])
            continue;
        fprintf(out, "%s\"%s\": %llu", separator, class_names[class], (unsigned long long)total[class]);
        separator = ", ";
    }
    fprintf(out, "}");
    if (with_mnemonics)
        write_mnemonics();
    fprintf(out, "}\n");
    fflush(out);
}

static void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    enum { GETPRIORITY = 141 };
    const uint32_t begin = 0x524F4901, end = 0x524F4902;
    (void)id, (void)vcpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;

    if (number != GETPRIORITY)
        return;
    pthread_mutex_lock(&lock);
    if ((uint32_t)a1 == begin)
        begin_region();
    else if ((uint32_t)a1 == end)
        end_region((unsigned)a2);
    pthread_mutex_unlock(&lock);
}

static void on_guest_exit(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    with_mnemonics = argc == 2 && !strcmp(argv[1], "mnemonics=on");
    if (strcmp(info->target_name, "aarch64") || argc != 1 + with_mnemonics || strncmp(argv[0], "out=", 4)) {
        fprintf(stderr, "count_instructions: for aarch64 guests; arguments: out=FILE [mnemonics=on]\n");
        return -1;
    }
    out = fopen(argv[0] + 4, "w");
    if (!out) {
        perror(argv[0] + 4);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_atexit_cb(id, on_guest_exit, NULL);
    return 0;
}
