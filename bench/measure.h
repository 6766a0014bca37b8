/* measure.h - clocks and tables for the benchmarks; header only, used by every bench_*.c */
#ifndef USHER_BENCH_MEASURE_H
#define USHER_BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t measure_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU time of this thread: what a figure of one core is measured in, whatever else the machine
 * does meanwhile. */
static inline uint64_t measure_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int measure_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* measure_median - sorts in place */
static inline double measure_median(double *values, uint32_t count) {
    qsort(values, count, sizeof *values, measure_compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

#endif
