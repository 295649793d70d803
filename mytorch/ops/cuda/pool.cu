// Pooling and its gradients. x: (N, *size, C); y, grad and winner: (N, *out, C). Dilation is 1.
#include "grid.cuh"

// The maximum of a window and its element: the first of several, or the last NaN if there is one, as in PyTorch. A window
// that sees only padding is minus infinity, and has no such element (-1).
__device__ inline void largest(const real* x, const Window& w, const Element& e, whole channels, real* best, int* which) {
    *best = (real)-INFINITY;
    *which = -1;
    const int taps = (int)w.kernel.count();
    for (int k = 0; k < taps; k++) {
        int tap[3], at[3];
        unravel(k, w.kernel, tap);
        if (!seen(w, e.at, tap, at)) continue;
        const real value = x[offset_of(e.n, at, e.c, w.size, channels)];
        if (*which < 0 || value > *best || value != value) {
            *best = value;
            *which = k;
        }
    }
}

extern "C" __global__ void max_pool(const real* x, real* y, Window w, whole images, whole channels) {
    EACH(i, images * w.out.count() * channels) {
        int which;
        largest(x, w, Element(i, w.out, channels), channels, &y[i], &which);
    }
}

// Which element of its window each output of max_pool came from, as a number in the kernel's C order.
extern "C" __global__ void max_pool_winner(const real* x, int* winner, Window w, whole images, whole channels) {
    EACH(i, images * w.out.count() * channels) {
        real best;
        largest(x, w, Element(i, w.out, channels), channels, &best, &winner[i]);
    }
}

// One thread a pixel, which asks every window that it lies in whether it was the winner.
extern "C" __global__ void max_pool_grad(
    const real* grad, const int* winner, real* grad_x, Window w, whole images, whole channels
) {
    const int taps = (int)w.kernel.count();
    EACH(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (!seer(w, e.at, tap, out)) continue;
            const whole o = offset_of(e.n, out, e.c, w.out, channels);
            if (winner[o] == k) sum += grad[o];
        }
        grad_x[i] = sum;
    }
}

// The mean of a window; padding counts as zeros.
extern "C" __global__ void avg_pool(const real* x, real* y, Window w, whole images, whole channels) {
    const int taps = (int)w.kernel.count();
    EACH(i, images * w.out.count() * channels) {
        const Element e(i, w.out, channels);
        double sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], at[3];
            unravel(k, w.kernel, tap);
            if (seen(w, e.at, tap, at)) sum += x[offset_of(e.n, at, e.c, w.size, channels)];
        }
        y[i] = (real)(sum / taps);
    }
}

// One thread a pixel, which takes its share of every window that it lies in.
extern "C" __global__ void avg_pool_grad(const real* grad, real* grad_x, Window w, whole images, whole channels) {
    const int taps = (int)w.kernel.count();
    EACH(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        double sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (seer(w, e.at, tap, out)) sum += grad[offset_of(e.n, out, e.c, w.out, channels)];
        }
        grad_x[i] = (real)(sum / taps);
    }
}
