// What every source here shares. REAL, float or double, comes from the compiler's command line.
//
// Arrays are dense, memory channels last: x (N, C, *size) lies as (N, *size, C), so that consecutive threads, which take
// consecutive elements, read consecutive channels. There are always three spatial axes; those that an array lacks come
// first and are 1 long.
//
// Deterministic: no atomics. Every output element is written by one thread, which gathers its terms in a fixed order;
// sums over a block go up a tree of fixed shape.

using real = REAL;
using whole = long long;  // counts and offsets: arrays may have more elements than int does

// Threads of a block at most; where a block adds up, their number is a power of two.
#define MOST_THREADS 256

#ifndef INFINITY  // NVRTC comes without the header that says so
#define INFINITY __int_as_float(0x7f800000)
#endif

// A loop over `count` elements that works for any grid: thread t of T takes elements t, t + T, t + 2T, ...
#define EACH(i, count)                                                                          \
    for (whole i = blockIdx.x * (whole)blockDim.x + threadIdx.x; i < (count);                   \
         i += gridDim.x * (whole)blockDim.x)

// A loop over `count` pieces of work for a whole block each, whose threads meet at barriers inside.
#define EACH_BLOCK(b, count) for (whole b = blockIdx.x; b < (count); b += gridDim.x)

// offset % length; offset becomes offset / length. In 32 bits where both fit, which a GPU divides several times faster.
__device__ inline whole take(whole* offset, whole length) {
    if (((*offset | length) >> 32) == 0) {
        const unsigned int small = (unsigned int)*offset, by = (unsigned int)length;
        *offset = small / by;
        return small % by;
    }
    const whole rest = *offset % length;
    *offset /= length;
    return rest;
}

// Three numbers, one a spatial axis.
struct Axes {
    int at[3];
    __device__ int operator[](int axis) const { return at[axis]; }
    __device__ whole count() const { return (whole)at[0] * at[1] * at[2]; }
};

// Where windows stand. Along each axis, element k of window o lies at o * stride - padding + k * dilation.
struct Window {
    Axes size, out, kernel, stride, padding, dilation;
};

// An element of a channels-last array, taken apart: offset = ((n * size0 + at0) * size1 + at1) * size2 + at2) * C + c.
struct Element {
    whole n, c;
    int at[3];

    __device__ Element(whole offset, const Axes& size, whole channels) {
        c = take(&offset, channels);
        for (int axis = 2; axis >= 0; axis--) at[axis] = (int)take(&offset, size[axis]);
        n = offset;
    }
};

// The offset of position `at` of image n, channel c: the inverse of Element.
__device__ inline whole offset_of(whole n, const int* at, whole c, const Axes& size, whole channels) {
    for (int axis = 0; axis < 3; axis++) n = n * size[axis] + at[axis];
    return n * channels + c;
}

// Number k of a grid of this size, in C order, as one number an axis.
__device__ inline void unravel(int k, const Axes& size, int* at) {
    for (int axis = 2; axis >= 0; axis--) {
        at[axis] = k % size[axis];
        k /= size[axis];
    }
}

// What element `tap` of the window at `out` sees: false where that is padding.
__device__ inline bool seen(const Window& w, const int* out, const int* tap, int* at) {
    for (int axis = 0; axis < 3; axis++) {
        at[axis] = out[axis] * w.stride[axis] - w.padding[axis] + tap[axis] * w.dilation[axis];
        if (at[axis] < 0 || at[axis] >= w.size[axis]) return false;
    }
    return true;
}

// The inverse: which window sees position `at` with its element `tap`; false where none does.
__device__ inline bool seer(const Window& w, const int* at, const int* tap, int* out) {
    for (int axis = 0; axis < 3; axis++) {
        const int start = at[axis] + w.padding[axis] - tap[axis] * w.dilation[axis];
        if (start < 0 || start % w.stride[axis]) return false;
        out[axis] = start / w.stride[axis];
        if (out[axis] >= w.out[axis]) return false;
    }
    return true;
}
