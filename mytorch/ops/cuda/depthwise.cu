// Depthwise convolution, with one kernel per channel. A matrix product does not help, so each output is summed by a
// thread.
//
// x (N, *size, C), y and grad (N, *out, C); weight (K, C), one row per kernel element, so that consecutive threads,
// which process consecutive channels, read consecutive weights.
#include "grid.cuh"
#include "block.cuh"

extern "C" __global__ void depthwise_conv(
    const real* x, const real* weight, real* y, Window w, index_t images, index_t channels
) {
    const int taps = (int)w.kernel.count();
    GRID_STRIDE_LOOP(i, images * w.out.count() * channels) {
        const Element e(i, w.out, channels);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], at[3];
            unravel(k, w.kernel, tap);
            if (input_position(w, e.at, tap, at))
                sum += weight[k * channels + e.c] * x[offset_of(e.n, at, e.c, w.size, channels)];
        }
        y[i] = sum;
    }
}

// One thread per pixel, which adds up the gradients of every window that contains it.
extern "C" __global__ void depthwise_conv_input_grad(
    const real* grad, const real* weight, real* grad_x, Window w, index_t images, index_t channels
) {
    const int taps = (int)w.kernel.count();
    GRID_STRIDE_LOOP(i, images * w.size.count() * channels) {
        const Element e(i, w.size, channels);
        real sum = 0;
        for (int k = 0; k < taps; k++) {
            int tap[3], out[3];
            unravel(k, w.kernel, tap);
            if (output_position(w, e.at, tap, out))
                sum += weight[k * channels + e.c] * grad[offset_of(e.n, out, e.c, w.out, channels)];
        }
        grad_x[i] = sum;
    }
}

// The gradient at the weight, (K, C), is a sum over the rows of a matrix (rows, K C): a row has, for one output, the
// pixel under each kernel element times the output's gradient.
extern "C" __global__ void depthwise_conv_weight_sums(
    const real* grad, const real* x, Window w, index_t channels, double* partial, index_t rows, index_t columns,
    index_t chunk_rows
) {
    sum_rows<1>(partial, rows, columns, chunk_rows, [=](index_t row, index_t column, double* sums) {
        const index_t c = pop_index(&column, channels);
        const Element e(row, w.out, 1);
        int tap[3], at[3];
        unravel((int)column, w.kernel, tap);
        if (input_position(w, e.at, tap, at))
            sums[0] += (double)grad[row * channels + c] * x[offset_of(e.n, at, c, w.size, channels)];
    });
}

extern "C" __global__ void combine_weight_sums(const double* partial, real* grad, index_t chunks, index_t columns) {
    BLOCK_STRIDE_LOOP(column, columns) {
        const double sum = combine_chunks(partial, 0, column, chunks, columns);
        if (threadIdx.x == 0) grad[column] = (real)sum;
    }
}
