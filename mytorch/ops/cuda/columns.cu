// im2col and col2im: a convolution's windows as the rows of a matrix, and such rows added back where they stood.
//
// columns: (groups, N * positions, K, C / groups), one matrix a group: row n * positions + o holds window o of image n,
// element by element of the kernel, all of the group's channels at each.
#include "grid.cuh"

// One thread an element of the columns; padding is zero.
extern "C" __global__ void im2col(const real* x, real* columns, Window w, whole images, whole channels, whole groups) {
    const whole width = channels / groups, taps = w.kernel.count(), positions = w.out.count();
    EACH(i, groups * images * positions * taps * width) {
        whole left = i;  // what of the offset is not taken apart yet: in the end, the group
        const whole c = take(&left, width), k = take(&left, taps), position = take(&left, positions);
        const whole image = take(&left, images);
        int out[3], tap[3], at[3];
        unravel((int)position, w.out, out);
        unravel((int)k, w.kernel, tap);
        columns[i] = seen(w, out, tap, at) ? x[offset_of(image, at, left * width + c, w.size, channels)] : (real)0;
    }
}

// One thread an element of x, which adds up every element of every window that stands on it: at most K terms, in the
// order of the kernel's elements.
extern "C" __global__ void col2im(const real* columns, real* x, Window w, whole images, whole channels, whole groups) {
    const whole width = channels / groups, taps = w.kernel.count(), positions = w.out.count();
    EACH(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        whole group = e.c;
        const whole c = take(&group, width);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (!seer(w, e.at, tap, out)) continue;
            const whole row = offset_of(e.n, out, 0, w.out, 1);
            sum += columns[((group * images * positions + row) * taps + k) * width + c];
        }
        x[i] = sum;
    }
}
