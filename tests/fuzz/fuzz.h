/* fuzz.h - what the fuzz targets share
 *
 * A target is one file with LLVMFuzzerTestOneInput(): it takes any bytes and demands with REQUIRE()
 * what its header comment promises. clang's -fsanitize=fuzzer links it to libFuzzer, any compiler
 * to corpus_main.c. An input is the whole truth: nothing a target does depends on time, chance or
 * on the inputs before.
 */
#ifndef USHER_TESTS_FUZZ_FUZZ_H
#define USHER_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/require.h"

/* Return: 0; anything else would tell libFuzzer not to keep the input */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* An input from which pieces are taken. What is not there reads as zero. */
struct input {
    const uint8_t *at;
    size_t left; /* bytes */
};

static inline uint8_t input_u8(struct input *input) {
    if (input->left == 0) return 0;
    input->left--;
    return *input->at++;
}

static inline uint16_t input_u16(struct input *input) {
    uint16_t low = input_u8(input);
    return (uint16_t)(low | input_u8(input) << 8);
}

/* Up to `size` bytes, fewer at the end. */
static inline const uint8_t *input_bytes(struct input *input, size_t size, size_t *ret_size) {
    const uint8_t *bytes = input->at;
    *ret_size = size < input->left ? size : input->left;
    input->at += *ret_size;
    input->left -= *ret_size;
    return bytes;
}

#endif
