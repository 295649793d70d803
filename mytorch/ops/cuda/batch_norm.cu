// Sums over the rows of a matrix (rows, C), and batch normalization (Ioffe and Szegedy, arXiv 1502.03167) with them.
//
// x (N, *size, C) is such a matrix, with one row per position. block.cuh explains how rows are summed.
#include "grid.cuh"
#include "block.cuh"

extern "C" __global__ void row_sums(
    const real* x, double* partial, index_t rows, index_t channels, index_t chunk_rows
) {
    sum_rows<1>(partial, rows, channels, chunk_rows, [=](index_t row, index_t c, double* sums) {
        sums[0] += x[row * channels + c];
    });
}

// The terms of the gradient at PReLU's slope, one per channel.
extern "C" __global__ void prelu_slope_sums(
    const real* grad, const real* x, double* partial, index_t rows, index_t channels, index_t chunk_rows
) {
    sum_rows<1>(partial, rows, channels, chunk_rows, [=](index_t row, index_t c, double* sums) {
        const index_t i = row * channels + c;
        sums[0] += x[i] > 0 ? 0 : (double)grad[i] * (double)x[i];
    });
}

extern "C" __global__ void combine_sums(const double* partial, real* sums, index_t chunks, index_t channels) {
    BLOCK_STRIDE_LOOP(c, channels) {
        const double sum = combine_chunks(partial, 0, c, chunks, channels);
        if (threadIdx.x == 0) sums[c] = (real)sum;
    }
}

// The sums of the differences to a channel's first value, and of their squares: mean and variance in one pass. It is
// precise, because the first value is about as far from the mean as the others.
extern "C" __global__ void moment_sums(
    const real* x, double* partial, index_t rows, index_t channels, index_t chunk_rows
) {
    sum_rows<2>(partial, rows, channels, chunk_rows, [=](index_t row, index_t c, double* sums) {
        const double distance = (double)x[row * channels + c] - (double)x[c];
        sums[0] += distance;
        sums[1] += distance * distance;
    });
}

// Mean and biased variance from moment_sums.
extern "C" __global__ void combine_moments(
    const double* partial, const real* x, real* mean, real* var, index_t rows, index_t chunks, index_t channels
) {
    BLOCK_STRIDE_LOOP(c, channels) {
        const double distance = combine_chunks(partial, 0, c, chunks, channels) / rows;
        const double square = combine_chunks(partial, 1, c, chunks, channels) / rows;
        const double spread = square - distance * distance;
        if (threadIdx.x == 0) {
            mean[c] = (real)(x[c] + distance);
            var[c] = (real)(spread < 0 ? 0 : spread);
        }
    }
}

// (x - mean) / sqrt(var + eps) * weight + bias, followed by ReLU if `relu` is set. NaN stays NaN.
extern "C" __global__ void batch_norm(
    const real* x, real* y, const real* mean, const real* var, const real* weight, const real* bias,
    real eps, index_t relu, index_t count, index_t channels
) {
    GRID_STRIDE_LOOP(i, count) {
        index_t row = i;
        const index_t c = pop_index(&row, channels);
        const real value = (x[i] - mean[c]) * (weight[c] * rsqrt(var[c] + eps)) + bias[c];
        y[i] = relu && value <= 0 ? 0 : value;
    }
}

// The sums of grad, and of grad * (x - mean).
extern "C" __global__ void gradient_sums(
    const real* grad, const real* x, const real* mean, double* partial,
    index_t rows, index_t channels, index_t chunk_rows
) {
    sum_rows<2>(partial, rows, channels, chunk_rows, [=](index_t row, index_t c, double* sums) {
        const index_t i = row * channels + c;
        sums[0] += grad[i];
        sums[1] += (double)grad[i] * ((double)x[i] - (double)mean[c]);
    });
}

// The gradients at weight and bias from gradient_sums, and the means over rows that the gradient at x needs because
// mean and variance depend on x. Without batch_statistics they are constants (evaluation), and these means are zero.
extern "C" __global__ void combine_gradients(
    const double* partial, const real* var, real* grad_weight, real* grad_bias, real* mean_grad, real* mean_product,
    real eps, index_t batch_statistics, index_t rows, index_t chunks, index_t channels
) {
    BLOCK_STRIDE_LOOP(c, channels) {
        const double grad = combine_chunks(partial, 0, c, chunks, channels);
        const double product = combine_chunks(partial, 1, c, chunks, channels);
        if (threadIdx.x == 0) {
            grad_bias[c] = (real)grad;
            grad_weight[c] = (real)(product / sqrt((double)var[c] + (double)eps));
            mean_grad[c] = batch_statistics ? (real)(grad / rows) : (real)0;
            mean_product[c] = batch_statistics ? (real)(product / rows) : (real)0;
        }
    }
}

// The gradient at x, from the results of combine_gradients.
extern "C" __global__ void batch_norm_grad(
    const real* grad, const real* x, real* grad_x, const real* mean, const real* var, const real* weight,
    const real* mean_grad, const real* mean_product, real eps, index_t count, index_t channels
) {
    GRID_STRIDE_LOOP(i, count) {
        index_t row = i;
        const index_t c = pop_index(&row, channels);
        const real scale = rsqrt(var[c] + eps);
        const real through = (x[i] - mean[c]) * (mean_product[c] * scale * scale) + mean_grad[c];
        grad_x[i] = (grad[i] - through) * (weight[c] * scale);
    }
}
