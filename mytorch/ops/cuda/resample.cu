// Resampling. x: (N, *size, C); y: (N, *out, C). Where an output takes its values from is told axis by axis, by tables
// that the caller computes: the same for the CPU and the GPU, whatever the rule (any scale, align_corners or not).
//
// A table of the three axes is one array, axis after axis; axis a begins at `out` or `size` summed over those before.
#include "grid.cuh"

__device__ inline int begin(const Axes& lengths, int axis) {
    int sum = 0;
    for (int a = 0; a < axis; a++) sum += lengths[a];
    return sum;
}

// source[o]: the one position, along its axis, that output o takes.
extern "C" __global__ void nearest(
    const real* x, real* y, const int* source, Axes size, Axes out, whole images, whole channels
) {
    EACH(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        int at[3];
        for (int axis = 0; axis < 3; axis++) at[axis] = source[begin(out, axis) + e.at[axis]];
        y[i] = x[offset_of(e.n, at, e.c, size, channels)];
    }
}

// Sources only grow along an axis, so the outputs that took position i are those from first[i] to before last[i].
extern "C" __global__ void nearest_grad(
    const real* grad, real* grad_x, const int* first, const int* last, Axes size, Axes out, whole images, whole channels
) {
    EACH(i, images * size.count() * channels) {
        const Element e(i, size, channels);
        int from[3], to[3], o[3];
        for (int axis = 0; axis < 3; axis++) {
            from[axis] = first[begin(size, axis) + e.at[axis]];
            to[axis] = last[begin(size, axis) + e.at[axis]];
        }
        double sum = 0;
        for (o[0] = from[0]; o[0] < to[0]; o[0]++)
            for (o[1] = from[1]; o[1] < to[1]; o[1]++)
                for (o[2] = from[2]; o[2] < to[2]; o[2]++) sum += grad[offset_of(e.n, o, e.c, out, channels)];
        grad_x[i] = (real)sum;
    }
}

// Along each axis output o mixes two neighbors: (1 - share[o]) of position low[o] and share[o] of position high[o].
// A corner is one choice of low or high an axis: bit a of its number says which.
extern "C" __global__ void linear(
    const real* x, real* y, const int* low, const int* high, const real* share,
    Axes size, Axes out, whole images, whole channels
) {
    EACH(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        double sum = 0;
        for (int corner = 0; corner < 8; corner++) {
            int at[3];
            double weight = 1;
            bool twice = false;  // an axis whose neighbors are one: low alone counts, in full
            for (int axis = 0; axis < 3; axis++) {
                const int o = begin(out, axis) + e.at[axis];
                const bool upper = corner >> axis & 1, same = low[o] == high[o];
                at[axis] = upper ? high[o] : low[o];
                twice |= upper && same;
                weight *= same ? 1 : upper ? (double)share[o] : 1 - (double)share[o];
            }
            if (!twice) sum += weight * x[offset_of(e.n, at, e.c, size, channels)];
        }
        y[i] = (real)sum;
    }
}

// What position `at` weighs in output o of an axis.
__device__ inline double part(int at, int low, int high, double share) {
    if (low == high) return at == low ? 1 : 0;
    return at == low ? 1 - share : at == high ? share : 0;
}

// The outputs that position i takes part in, as low or as high, are among those from first[i] to before last[i].
extern "C" __global__ void linear_grad(
    const real* grad, real* grad_x, const int* low, const int* high, const real* share,
    const int* first, const int* last, Axes size, Axes out, whole images, whole channels
) {
    const int begins[3] = {0, begin(out, 1), begin(out, 2)};
    EACH(i, images * size.count() * channels) {
        const Element e(i, size, channels);
        int from[3], to[3], o[3];
        for (int axis = 0; axis < 3; axis++) {
            from[axis] = first[begin(size, axis) + e.at[axis]];
            to[axis] = last[begin(size, axis) + e.at[axis]];
        }
        double sum = 0;
        for (o[0] = from[0]; o[0] < to[0]; o[0]++)
            for (o[1] = from[1]; o[1] < to[1]; o[1]++)
                for (o[2] = from[2]; o[2] < to[2]; o[2]++) {
                    double weight = 1;
                    for (int axis = 0; axis < 3; axis++) {
                        const int j = begins[axis] + o[axis];
                        weight *= part(e.at[axis], low[j], high[j], share[j]);
                    }
                    sum += weight * grad[offset_of(e.n, o, e.c, out, channels)];
                }
        grad_x[i] = (real)sum;
    }
}

// y[o] = x[o / factor] where factor divides o along every axis, else zero: an upsampling by zeros, and the gradient of
// pick. `out` may end before or after the last multiple.
extern "C" __global__ void insert_zeros(
    const real* x, real* y, Axes size, Axes out, Axes factor, whole images, whole channels
) {
    EACH(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        int at[3];
        bool there = true;
        for (int axis = 0; axis < 3; axis++) {
            at[axis] = e.at[axis] / factor[axis];
            there &= e.at[axis] % factor[axis] == 0 && at[axis] < size[axis];
        }
        y[i] = there ? x[offset_of(e.n, at, e.c, size, channels)] : (real)0;
    }
}

// y[o] = x[o * factor]: a downsampling that drops what lies between, and the gradient of insert_zeros.
extern "C" __global__ void subsample(
    const real* x, real* y, Axes size, Axes out, Axes factor, whole images, whole channels
) {
    EACH(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        int at[3];
        bool there = true;
        for (int axis = 0; axis < 3; axis++) {
            at[axis] = e.at[axis] * factor[axis];
            there &= at[axis] < size[axis];
        }
        y[i] = there ? x[offset_of(e.n, at, e.c, size, channels)] : (real)0;
    }
}
