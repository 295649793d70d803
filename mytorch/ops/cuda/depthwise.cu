// Depthwise convolution, a kernel a channel: nothing for a matrix product to do, so each output is added up by a thread.
//
// x (N, *size, C), y and grad (N, *out, C); weight (K, C), tap by tap, so that consecutive threads, which take consecutive
// channels, read consecutive weights.
#include "grid.cuh"
#include "block.cuh"

extern "C" __global__ void depthwise_conv(
    const real* x, const real* weight, real* y, Window w, whole images, whole channels
) {
    const int taps = (int)w.kernel.count();
    EACH(i, images * w.out.count() * channels) {
        const Element e(i, w.out, channels);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], at[3];
            unravel(k, w.kernel, tap);
            if (seen(w, e.at, tap, at)) sum += weight[k * channels + e.c] * x[offset_of(e.n, at, e.c, w.size, channels)];
        }
        y[i] = sum;
    }
}

// One thread a pixel, which adds up what every window that sees it says.
extern "C" __global__ void depthwise_conv_input_grad(
    const real* grad, const real* weight, real* grad_x, Window w, whole images, whole channels
) {
    const int taps = (int)w.kernel.count();
    EACH(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (seer(w, e.at, tap, out))
                sum += weight[k * channels + e.c] * grad[offset_of(e.n, out, e.c, w.out, channels)];
        }
        grad_x[i] = sum;
    }
}

// The gradient at the weight, (K, C), is a sum over the rows of a matrix (rows, K C), whose element is what a tap sees at
// an output, times the gradient there.
extern "C" __global__ void depthwise_conv_weight_sums(
    const real* grad, const real* x, Window w, whole channels, double* partial, whole rows, whole columns,
    whole chunk_rows
) {
    add_rows<1>(partial, rows, columns, chunk_rows, [=](whole row, whole column, double* sums) {
        const whole c = take(&column, channels);
        const Element e(row, w.out, 1);
        int tap[3], at[3];
        unravel((int)column, w.kernel, tap);
        if (seen(w, e.at, tap, at))
            sums[0] += (double)grad[row * channels + c] * x[offset_of(e.n, at, c, w.size, channels)];
    });
}

extern "C" __global__ void fold_weight_sums(const double* partial, real* grad, whole chunks, whole columns) {
    EACH_BLOCK(column, columns) {
        const double sum = chunk_sum(partial, 0, column, chunks, columns);
        if (threadIdx.x == 0) grad[column] = (real)sum;
    }
}
