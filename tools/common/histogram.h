/* histogram.h - latencies in logarithmic buckets: constant memory, stated precision
 *
 * Values are microseconds, 0..2^40-1 (larger ones count as the largest). Values below 64 are exact;
 * above, an octave [2^k, 2^(k+1)) is divided into 32 buckets of equal width, so a quantile is at
 * most 1/32 (3.2 %) above the value it stands for, never below it. Histograms of several
 * threads or processes add up without any loss (histogram_merge).
 *
 * Not thread-safe: one owner.
 */
#ifndef USHER_TOOLS_COMMON_HISTOGRAM_H
#define USHER_TOOLS_COMMON_HISTOGRAM_H

#include <stdint.h>

#include "engine/base/require.h"

#define HISTOGRAM_SUB_BITS 5u
#define HISTOGRAM_SUB_COUNT (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_VALUE_BITS 40u
/* 64 exact values, then 32 buckets for each octave 6..39. */
#define HISTOGRAM_BUCKETS (HISTOGRAM_SUB_COUNT * (HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1u))

struct histogram {
    uint64_t count; /* of all values */
    uint64_t max;   /* largest value added, exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* histogram_index - the bucket of a value; 0..HISTOGRAM_BUCKETS-1 */
static inline uint32_t histogram_index(uint64_t value) {
    const uint64_t largest = (1ull << HISTOGRAM_VALUE_BITS) - 1;
    if (value > largest) value = largest;
    if (value < 2 * HISTOGRAM_SUB_COUNT) return (uint32_t)value;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t shift = octave - HISTOGRAM_SUB_BITS;
    uint32_t index = shift * HISTOGRAM_SUB_COUNT + (uint32_t)(value >> shift);
    REQUIRE(index < HISTOGRAM_BUCKETS);
    return index;
}

/* histogram_highest - the largest value that falls into a bucket */
static inline uint64_t histogram_highest(uint32_t index) {
    REQUIRE(index < HISTOGRAM_BUCKETS);
    if (index < 2 * HISTOGRAM_SUB_COUNT) return index;
    uint32_t shift = index / HISTOGRAM_SUB_COUNT - 1;
    uint64_t lead = index - shift * HISTOGRAM_SUB_COUNT;
    return ((lead + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->buckets[histogram_index(value)]++;
    histogram->count++;
    if (value > histogram->max) histogram->max = value;
}

/* histogram_merge - as if every value of `part` had been added to `sum` */
static inline void histogram_merge(struct histogram *sum, const struct histogram *part) {
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) sum->buckets[i] += part->buckets[i];
    sum->count += part->count;
    if (part->max > sum->max) sum->max = part->max;
}

/* histogram_quantile - the smallest bucket's upper end with at least that share below or in it
 * @millionths: share; 500000 is the median, 990000 is p99, 1000000 the maximum
 * Return: 0 for an empty histogram; never more than the exact maximum */
static inline uint64_t histogram_quantile(const struct histogram *histogram, uint32_t millionths) {
    REQUIRE(millionths <= 1000000);
    uint64_t wanted = (histogram->count * millionths + 999999) / 1000000;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen < wanted || seen == 0) continue;
        uint64_t value = histogram_highest(i);
        return value < histogram->max ? value : histogram->max;
    }
    return histogram->max;
}

#endif
