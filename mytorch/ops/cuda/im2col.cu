// im2col and col2im: the windows of a convolution as the rows of a matrix, and such rows added at their places.
//
// columns: (groups, N * positions, K, C / groups), one matrix per group. Row n * positions + o is window o of image n:
// for each element of the kernel, all channels of the group.
//
// Computing the position of an element takes longer than loading it. So a thread processes four channels, which are
// contiguous, if their number allows it.
#include "grid.cuh"

template <int CHANNELS_PER_THREAD>
struct alignas(CHANNELS_PER_THREAD == 1 ? sizeof(real) : 16) ChannelGroup {
    real at[CHANNELS_PER_THREAD];
};

// One thread per group of channels of the columns; padding is zero.
template <int CHANNELS_PER_THREAD>
__device__ void gather(
    const real* x, real* columns, const Window& w, index_t images, index_t channels, index_t groups
) {
    using Group = ChannelGroup<CHANNELS_PER_THREAD>;
    const index_t width = channels / groups / CHANNELS_PER_THREAD, taps = w.kernel.count(), positions = w.out.count();
    const Group* from = (const Group*)x;
    Group* to = (Group*)columns;
    GRID_STRIDE_LOOP(i, groups * images * positions * taps * width) {
        index_t left = i;  // the rest of the offset; in the end, the group
        const index_t c = pop_index(&left, width), k = pop_index(&left, taps), position = pop_index(&left, positions);
        const index_t image = pop_index(&left, images);
        int out[3], tap[3], at[3];
        unravel((int)position, w.out, out);
        unravel((int)k, w.kernel, tap);
        Group found = {};
        if (input_position(w, out, tap, at))
            found = from[offset_of(image, at, left * width + c, w.size, groups * width)];
        to[i] = found;
    }
}

// One thread per group of channels of x, which adds up all window elements at its position: at most K terms, in the
// order of the kernel's elements.
template <int CHANNELS_PER_THREAD>
__device__ void scatter(
    const real* columns, real* x, const Window& w, index_t images, index_t channels, index_t groups
) {
    using Group = ChannelGroup<CHANNELS_PER_THREAD>;
    const index_t width = channels / groups / CHANNELS_PER_THREAD, taps = w.kernel.count(), positions = w.out.count();
    const Group* from = (const Group*)columns;
    Group* to = (Group*)x;
    GRID_STRIDE_LOOP(i, images * w.size.count() * groups * width) {
        const Element e(i, w.size, groups * width);
        index_t group = e.c;
        const index_t c = pop_index(&group, width);
        Group sum = {};
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (!output_position(w, e.at, tap, out)) continue;
            const index_t row = offset_of(e.n, out, 0, w.out, 1);
            const Group term = from[((group * images * positions + row) * taps + k) * width + c];
            for (int one = 0; one < CHANNELS_PER_THREAD; one++) sum.at[one] += term.at[one];
        }
        to[i] = sum;
    }
}

extern "C" __global__ void im2col(
    const real* x, real* columns, Window w, index_t images, index_t channels, index_t groups
) {
    gather<1>(x, columns, w, images, channels, groups);
}

extern "C" __global__ void im2col_by_fours(
    const real* x, real* columns, Window w, index_t images, index_t channels, index_t groups
) {
    gather<4>(x, columns, w, images, channels, groups);
}

extern "C" __global__ void col2im(
    const real* columns, real* x, Window w, index_t images, index_t channels, index_t groups
) {
    scatter<1>(columns, x, w, images, channels, groups);
}

extern "C" __global__ void col2im_by_fours(
    const real* columns, real* x, Window w, index_t images, index_t channels, index_t groups
) {
    scatter<4>(columns, x, w, images, channels, groups);
}
