// Shared by all sources. REAL, float or double, is defined on the compiler's command line.
//
// Arrays are dense and channels last: x (N, C, *size) is stored as (N, *size, C), so consecutive threads, which process
// consecutive elements, read consecutive channels. There are always three spatial axes; missing ones come first and
// have length 1.
//
// Results are deterministic: there are no atomics. Every output element is written by one thread, which gathers its
// terms in a fixed order, and sums over a block use a tree of fixed shape.

using real = REAL;
using index_t = long long;  // counts and offsets: arrays may have more than 2^31 elements

// Threads of a block. If a block computes a sum, their number is a power of two.
#define MAX_THREADS 256

#ifndef INFINITY  // NVRTC has no header that defines it
#define INFINITY __int_as_float(0x7f800000)
#endif

// A loop over `count` elements for any grid: thread t of T processes elements t, t + T, t + 2T, ...
#define GRID_STRIDE_LOOP(i, count)                                                                  \
    for (index_t i = blockIdx.x * (index_t)blockDim.x + threadIdx.x; i < (count);                   \
         i += gridDim.x * (index_t)blockDim.x)

// A loop over `count` work items, each for a whole block, whose threads synchronize inside.
#define BLOCK_STRIDE_LOOP(b, count) for (index_t b = blockIdx.x; b < (count); b += gridDim.x)

// Return offset % length and set offset to offset / length. If both fit into 32 bits, the division is several times
// faster.
__device__ inline index_t pop_index(index_t* offset, index_t length) {
    if (((*offset | length) >> 32) == 0) {
        const unsigned int small = (unsigned int)*offset, by = (unsigned int)length;
        *offset = small / by;
        return small % by;
    }
    const index_t rest = *offset % length;
    *offset /= length;
    return rest;
}

// Three numbers, one per spatial axis.
struct Axes {
    int at[3];
    __device__ int operator[](int axis) const { return at[axis]; }
    __device__ index_t count() const { return (index_t)at[0] * at[1] * at[2]; }
};

// The geometry of windows. Along each axis, element k of window o is at o * stride - padding + k * dilation.
struct Window {
    Axes size, out, kernel, stride, padding, dilation;
};

// The indices of an element of a channels-last array: offset = ((n * size0 + at0) * size1 + at1) * size2 + at2) * C +
// c.
struct Element {
    index_t n, c;
    int at[3];

    __device__ Element(index_t offset, const Axes& size, index_t channels) {
        c = pop_index(&offset, channels);
        for (int axis = 2; axis >= 0; axis--) at[axis] = (int)pop_index(&offset, size[axis]);
        n = offset;
    }
};

// The offset of position `at` of image n, channel c: the inverse of Element.
__device__ inline index_t offset_of(index_t n, const int* at, index_t c, const Axes& size, index_t channels) {
    for (int axis = 0; axis < 3; axis++) n = n * size[axis] + at[axis];
    return n * channels + c;
}

// The index along each axis of element k, in C order, of an array of this size.
__device__ inline void unravel(int k, const Axes& size, int* at) {
    for (int axis = 2; axis >= 0; axis--) {
        at[axis] = k % size[axis];
        k /= size[axis];
    }
}

// Set `at` to the input position of element `tap` of the window at `out`. Return false if it is in the padding.
__device__ inline bool input_position(const Window& w, const int* out, const int* tap, int* at) {
    for (int axis = 0; axis < 3; axis++) {
        at[axis] = out[axis] * w.stride[axis] - w.padding[axis] + tap[axis] * w.dilation[axis];
        if (at[axis] < 0 || at[axis] >= w.size[axis]) return false;
    }
    return true;
}

// The inverse: set `out` to the window whose element `tap` is at position `at`. Return false if there is none.
__device__ inline bool output_position(const Window& w, const int* at, const int* tap, int* out) {
    for (int axis = 0; axis < 3; axis++) {
        const int start = at[axis] + w.padding[axis] - tap[axis] * w.dilation[axis];
        if (start < 0 || start % w.stride[axis]) return false;
        out[axis] = start / w.stride[axis];
        if (out[axis] >= w.out[axis]) return false;
    }
    return true;
}
