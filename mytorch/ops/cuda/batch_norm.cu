// Sums over the rows of a matrix (rows, C), and batch normalization (Ioffe and Szegedy, arXiv 1502.03167) with them.
//
// x (N, *size, C) is such a matrix, a row a position. block.cuh says how rows are added up.
#include "grid.cuh"
#include "block.cuh"

extern "C" __global__ void row_sums(const real* x, double* partial, whole rows, whole channels, whole chunk_rows) {
    add_rows<1>(partial, rows, channels, chunk_rows, [=](whole row, whole c, double* sums) {
        sums[0] += x[row * channels + c];
    });
}

// What each element adds to the gradient at PReLU's slope, of which there is one a channel.
extern "C" __global__ void prelu_slope_sums(
    const real* grad, const real* x, double* partial, whole rows, whole channels, whole chunk_rows
) {
    add_rows<1>(partial, rows, channels, chunk_rows, [=](whole row, whole c, double* sums) {
        const whole i = row * channels + c;
        sums[0] += x[i] > 0 ? 0 : (double)grad[i] * (double)x[i];
    });
}

extern "C" __global__ void fold_sums(const double* partial, real* sums, whole chunks, whole channels) {
    EACH_BLOCK(c, channels) {
        const double sum = chunk_sum(partial, 0, c, chunks, channels);
        if (threadIdx.x == 0) sums[c] = (real)sum;
    }
}

// Of the distances from a channel's first value, and of their squares: a mean and a variance in one pass, which keeps its
// digits because the first value is about as far from the mean as any.
extern "C" __global__ void moment_sums(const real* x, double* partial, whole rows, whole channels, whole chunk_rows) {
    add_rows<2>(partial, rows, channels, chunk_rows, [=](whole row, whole c, double* sums) {
        const double distance = (double)x[row * channels + c] - (double)x[c];
        sums[0] += distance;
        sums[1] += distance * distance;
    });
}

// Mean and biased variance from moment_sums.
extern "C" __global__ void fold_moments(
    const double* partial, const real* x, real* mean, real* var, whole rows, whole chunks, whole channels
) {
    EACH_BLOCK(c, channels) {
        const double distance = chunk_sum(partial, 0, c, chunks, channels) / rows;
        const double square = chunk_sum(partial, 1, c, chunks, channels) / rows;
        const double spread = square - distance * distance;
        if (threadIdx.x == 0) {
            mean[c] = (real)(x[c] + distance);
            var[c] = (real)(spread < 0 ? 0 : spread);
        }
    }
}

// (x - mean) / sqrt(var + eps) * weight + bias; with relu, what of it is above zero. NaN stays NaN.
extern "C" __global__ void batch_norm(
    const real* x, real* y, const real* mean, const real* var, const real* weight, const real* bias,
    real eps, whole relu, whole count, whole channels
) {
    EACH(i, count) {
        whole row = i;
        const whole c = take(&row, channels);
        const real value = (x[i] - mean[c]) * (weight[c] * rsqrt(var[c] + eps)) + bias[c];
        y[i] = relu && value <= 0 ? 0 : value;
    }
}

// Of grad, and of grad * (x - mean).
extern "C" __global__ void gradient_sums(
    const real* grad, const real* x, const real* mean, double* partial, whole rows, whole channels, whole chunk_rows
) {
    add_rows<2>(partial, rows, channels, chunk_rows, [=](whole row, whole c, double* sums) {
        const whole i = row * channels + c;
        sums[0] += grad[i];
        sums[1] += (double)grad[i] * ((double)x[i] - (double)mean[c]);
    });
}

// The gradients at weight and bias from gradient_sums; and the means over rows by which mean and variance take part in
// the gradient at x, if they are the batch's, else zeros: they are constants then (evaluation).
extern "C" __global__ void fold_gradients(
    const double* partial, const real* var, real* grad_weight, real* grad_bias, real* mean_grad, real* mean_product,
    real eps, whole of_batch, whole rows, whole chunks, whole channels
) {
    EACH_BLOCK(c, channels) {
        const double grad = chunk_sum(partial, 0, c, chunks, channels);
        const double product = chunk_sum(partial, 1, c, chunks, channels);
        if (threadIdx.x == 0) {
            grad_bias[c] = (real)grad;
            grad_weight[c] = (real)(product / sqrt((double)var[c] + (double)eps));
            mean_grad[c] = of_batch ? (real)(grad / rows) : (real)0;
            mean_product[c] = of_batch ? (real)(product / rows) : (real)0;
        }
    }
}

// The gradient at x, with what fold_gradients says.
extern "C" __global__ void batch_norm_grad(
    const real* grad, const real* x, real* grad_x, const real* mean, const real* var, const real* weight,
    const real* mean_grad, const real* mean_product, real eps, whole count, whole channels
) {
    EACH(i, count) {
        whole row = i;
        const whole c = take(&row, channels);
        const real scale = rsqrt(var[c] + eps);
        const real through = (x[i] - mean[c]) * (mean_product[c] * scale * scale) + mean_grad[c];
        grad_x[i] = (grad[i] - through) * (weight[c] * scale);
    }
}
