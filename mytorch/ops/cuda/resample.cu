// Resampling. x: (N, *size, C); y: (N, *out, C). Tables say, axis by axis, which inputs an output uses.
// The caller computes them, the same for the CPU and the GPU and for any rule (any scale, align_corners or not).
//
// The tables of the three axes are one array; axis a starts at the sum of `out` or `size` over the axes before it.
#include "grid.cuh"

__device__ inline int axis_start(const Axes& lengths, int axis) {
    int sum = 0;
    for (int a = 0; a < axis; a++) sum += lengths[a];
    return sum;
}

// source[o]: the position along its axis that output o copies.
extern "C" __global__ void nearest(
    const real* x, real* y, const int* source, Axes size, Axes out, index_t images, index_t channels
) {
    GRID_STRIDE_LOOP(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        int at[3];
        for (int axis = 0; axis < 3; axis++) at[axis] = source[axis_start(out, axis) + e.at[axis]];
        y[i] = x[offset_of(e.n, at, e.c, size, channels)];
    }
}

// Sources never decrease along an axis, so the outputs that copy position i are those from first[i] to before last[i].
extern "C" __global__ void nearest_grad(
    const real* grad, real* grad_x, const int* first, const int* last,
    Axes size, Axes out, index_t images, index_t channels
) {
    GRID_STRIDE_LOOP(i, images * size.count() * channels) {
        const Element e(i, size, channels);
        int from[3], to[3], o[3];
        for (int axis = 0; axis < 3; axis++) {
            from[axis] = first[axis_start(size, axis) + e.at[axis]];
            to[axis] = last[axis_start(size, axis) + e.at[axis]];
        }
        double sum = 0;
        for (o[0] = from[0]; o[0] < to[0]; o[0]++)
            for (o[1] = from[1]; o[1] < to[1]; o[1]++)
                for (o[2] = from[2]; o[2] < to[2]; o[2]++) sum += grad[offset_of(e.n, o, e.c, out, channels)];
        grad_x[i] = (real)sum;
    }
}

// Along each axis, output o is (1 - weight[o]) * position low[o] + weight[o] * position high[o]. A corner is a choice
// of low or high for every axis: bit a of its number is that of axis a.
extern "C" __global__ void linear(
    const real* x, real* y, const int* low, const int* high, const real* weight_of_high,
    Axes size, Axes out, index_t images, index_t channels
) {
    GRID_STRIDE_LOOP(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        double sum = 0;
        for (int corner = 0; corner < 8; corner++) {
            int at[3];
            double weight = 1;
            bool twice = false;  // on an axis where low and high are equal, only low counts
            for (int axis = 0; axis < 3; axis++) {
                const int o = axis_start(out, axis) + e.at[axis];
                const bool upper = corner >> axis & 1, same = low[o] == high[o];
                at[axis] = upper ? high[o] : low[o];
                twice |= upper && same;
                weight *= same ? 1 : upper ? (double)weight_of_high[o] : 1 - (double)weight_of_high[o];
            }
            if (!twice) sum += weight * x[offset_of(e.n, at, e.c, size, channels)];
        }
        y[i] = (real)sum;
    }
}

// The weight of position `at` in an output of an axis.
__device__ inline double interpolation_weight(int at, int low, int high, double share) {
    if (low == high) return at == low ? 1 : 0;
    return at == low ? 1 - share : at == high ? share : 0;
}

// The outputs that use position i, as low or as high, are among those from first[i] to before last[i].
extern "C" __global__ void linear_grad(
    const real* grad, real* grad_x, const int* low, const int* high, const real* weight_of_high,
    const int* first, const int* last, Axes size, Axes out, index_t images, index_t channels
) {
    const int starts[3] = {0, axis_start(out, 1), axis_start(out, 2)};
    GRID_STRIDE_LOOP(i, images * size.count() * channels) {
        const Element e(i, size, channels);
        int from[3], to[3], o[3];
        for (int axis = 0; axis < 3; axis++) {
            from[axis] = first[axis_start(size, axis) + e.at[axis]];
            to[axis] = last[axis_start(size, axis) + e.at[axis]];
        }
        double sum = 0;
        for (o[0] = from[0]; o[0] < to[0]; o[0]++)
            for (o[1] = from[1]; o[1] < to[1]; o[1]++)
                for (o[2] = from[2]; o[2] < to[2]; o[2]++) {
                    double weight = 1;
                    for (int axis = 0; axis < 3; axis++) {
                        const int j = starts[axis] + o[axis];
                        weight *= interpolation_weight(e.at[axis], low[j], high[j], weight_of_high[j]);
                    }
                    sum += weight * grad[offset_of(e.n, o, e.c, out, channels)];
                }
        grad_x[i] = (real)sum;
    }
}

// y[o] = x[o / factor] where factor divides o along every axis, else zero: zero insertion, and the
// gradient of subsample. `out` may end before or after the last multiple.
extern "C" __global__ void insert_zeros(
    const real* x, real* y, Axes size, Axes out, Axes factor, index_t images, index_t channels
) {
    GRID_STRIDE_LOOP(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        int at[3];
        bool inside = true;
        for (int axis = 0; axis < 3; axis++) {
            at[axis] = e.at[axis] / factor[axis];
            inside &= e.at[axis] % factor[axis] == 0 && at[axis] < size[axis];
        }
        y[i] = inside ? x[offset_of(e.n, at, e.c, size, channels)] : (real)0;
    }
}

// y[o] = x[o * factor]: subsampling, and the gradient of insert_zeros.
extern "C" __global__ void subsample(
    const real* x, real* y, Axes size, Axes out, Axes factor, index_t images, index_t channels
) {
    GRID_STRIDE_LOOP(i, images * out.count() * channels) {
        const Element e(i, out, channels);
        int at[3];
        bool inside = true;
        for (int axis = 0; axis < 3; axis++) {
            at[axis] = e.at[axis] * factor[axis];
            inside &= at[axis] < size[axis];
        }
        y[i] = inside ? x[offset_of(e.n, at, e.c, size, channels)] : (real)0;
    }
}
