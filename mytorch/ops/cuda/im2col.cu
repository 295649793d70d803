// im2col and col2im: a convolution's windows as the rows of a matrix, and such rows added back where they stood.
//
// columns: (groups, N * positions, K, C / groups), one matrix a group: row n * positions + o holds window o of image n,
// element by element of the kernel, all of the group's channels at each.
//
// To find out where an element stands takes longer than to fetch it, so a thread takes four channels where their number
// allows: they lie side by side, and go together.
#include "grid.cuh"

template <int TOGETHER>
struct alignas(TOGETHER == 1 ? sizeof(real) : 16) Channels {
    real at[TOGETHER];
};

// One thread for each few channels of the columns; padding is zero.
template <int TOGETHER>
__device__ void gather(const real* x, real* columns, const Window& w, whole images, whole channels, whole groups) {
    using Few = Channels<TOGETHER>;
    const whole width = channels / groups / TOGETHER, taps = w.kernel.count(), positions = w.out.count();
    const Few* from = (const Few*)x;
    Few* to = (Few*)columns;
    EACH(i, groups * images * positions * taps * width) {
        whole left = i;  // what of the offset is not taken apart yet: in the end, the group
        const whole c = take(&left, width), k = take(&left, taps), position = take(&left, positions);
        const whole image = take(&left, images);
        int out[3], tap[3], at[3];
        unravel((int)position, w.out, out);
        unravel((int)k, w.kernel, tap);
        Few found = {};
        if (seen(w, out, tap, at)) found = from[offset_of(image, at, left * width + c, w.size, groups * width)];
        to[i] = found;
    }
}

// One thread for each few channels of x, which adds up every element of every window that stands on them: at most K
// terms, in the order of the kernel's elements.
template <int TOGETHER>
__device__ void scatter(const real* columns, real* x, const Window& w, whole images, whole channels, whole groups) {
    using Few = Channels<TOGETHER>;
    const whole width = channels / groups / TOGETHER, taps = w.kernel.count(), positions = w.out.count();
    const Few* from = (const Few*)columns;
    Few* to = (Few*)x;
    EACH(i, images * w.size.count() * groups * width) {
        const Element e(i, w.size, groups * width);
        whole group = e.c;
        const whole c = take(&group, width);
        Few sum = {};
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (!seer(w, e.at, tap, out)) continue;
            const whole row = offset_of(e.n, out, 0, w.out, 1);
            const Few term = from[((group * images * positions + row) * taps + k) * width + c];
            for (int one = 0; one < TOGETHER; one++) sum.at[one] += term.at[one];
        }
        to[i] = sum;
    }
}

extern "C" __global__ void im2col(
    const real* x, real* columns, Window w, whole images, whole channels, whole groups
) {
    gather<1>(x, columns, w, images, channels, groups);
}

extern "C" __global__ void im2col_by_fours(
    const real* x, real* columns, Window w, whole images, whole channels, whole groups
) {
    gather<4>(x, columns, w, images, channels, groups);
}

extern "C" __global__ void col2im(
    const real* columns, real* x, Window w, whole images, whole channels, whole groups
) {
    scatter<1>(columns, x, w, images, channels, groups);
}

extern "C" __global__ void col2im_by_fours(
    const real* columns, real* x, Window w, whole images, whole channels, whole groups
) {
    scatter<4>(columns, x, w, images, channels, groups);
}
