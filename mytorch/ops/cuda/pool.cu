// Pooling and its gradients. x: (N, *size, C); y, grad and winner: (N, *out, C).
#include "grid.cuh"

// The maximum of a window and the element that has it: the first of several, or the last NaN if there is one, as in
// PyTorch. A window of padding alone is minus infinity, and has no such element (-1).
__device__ inline void window_max(
    const real* x, const Window& w, const Element& e, index_t channels, real* best, int* which
) {
    *best = (real)-INFINITY;
    *which = -1;
    const int taps = (int)w.kernel.count();
    for (int k = 0; k < taps; k++) {
        int tap[3], at[3];
        unravel(k, w.kernel, tap);
        if (!input_position(w, e.at, tap, at)) continue;
        const real value = x[offset_of(e.n, at, e.c, w.size, channels)];
        if (*which < 0 || value > *best || value != value) {
            *best = value;
            *which = k;
        }
    }
}

extern "C" __global__ void max_pool(const real* x, real* y, Window w, index_t images, index_t channels) {
    GRID_STRIDE_LOOP(i, images * w.out.count() * channels) {
        int which;
        window_max(x, w, Element(i, w.out, channels), channels, &y[i], &which);
    }
}

// For each output of max_pool, the element of its window that has the maximum, in the kernel's C order.
extern "C" __global__ void max_pool_winner(const real* x, int* winner, Window w, index_t images, index_t channels) {
    GRID_STRIDE_LOOP(i, images * w.out.count() * channels) {
        real best;
        window_max(x, w, Element(i, w.out, channels), channels, &best, &winner[i]);
    }
}

// One thread per pixel, which adds the gradients of all windows whose maximum it is.
extern "C" __global__ void max_pool_grad(
    const real* grad, const int* winner, real* grad_x, Window w, index_t images, index_t channels
) {
    const int taps = (int)w.kernel.count();
    GRID_STRIDE_LOOP(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (!output_position(w, e.at, tap, out)) continue;
            const index_t o = offset_of(e.n, out, e.c, w.out, channels);
            if (winner[o] == k) sum += grad[o];
        }
        grad_x[i] = sum;
    }
}

// The mean of a window; padding counts as zeros.
extern "C" __global__ void avg_pool(const real* x, real* y, Window w, index_t images, index_t channels) {
    const int taps = (int)w.kernel.count();
    GRID_STRIDE_LOOP(i, images * w.out.count() * channels) {
        const Element e(i, w.out, channels);
        double sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], at[3];
            unravel(k, w.kernel, tap);
            if (input_position(w, e.at, tap, at)) sum += x[offset_of(e.n, at, e.c, w.size, channels)];
        }
        y[i] = (real)(sum / taps);
    }
}

// One thread per pixel, which adds its part of the gradients of all windows that contain it.
extern "C" __global__ void avg_pool_grad(const real* grad, real* grad_x, Window w, index_t images, index_t channels) {
    const int taps = (int)w.kernel.count();
    GRID_STRIDE_LOOP(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        double sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (output_position(w, e.at, tap, out)) sum += grad[offset_of(e.n, out, e.c, w.out, channels)];
        }
        grad_x[i] = (real)(sum / taps);
    }
}
