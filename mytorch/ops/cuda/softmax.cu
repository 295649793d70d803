// Softmax, its logarithm and cross entropy over rows of C logits, and their gradients: one block per row, whose
// threads process every blockDim-th column. No exponential overflows, because the row's maximum is subtracted first.
#include "grid.cuh"
#include "block.cuh"

// The sum over a row's columns of term(c).
template <typename Term>
__device__ double row_sum(index_t columns, Term term) {
    double sum = 0;
    for (index_t c = threadIdx.x; c < columns; c += blockDim.x) sum += term(c);
    return block_reduce(sum, [](double a, double b) { return a + b; });
}

// log(sum(exp(x))) of a row, as the row's maximum plus a rest. NaN stays NaN.
struct LogSumExp {
    double largest, rest;

    __device__ LogSumExp(const real* x, index_t columns) {
        double own = -INFINITY;
        for (index_t c = threadIdx.x; c < columns; c += blockDim.x) own = larger(own, x[c]);
        const double top = block_reduce(own, larger);
        largest = top;
        rest = log(row_sum(columns, [=](index_t c) { return exp(x[c] - top); }));
    }

    __device__ static double larger(double a, double b) { return a > b || a != a ? a : b; }

    __device__ double log_softmax(real x) const { return x - largest - rest; }
};

extern "C" __global__ void log_softmax(const real* x, real* y, index_t rows, index_t columns) {
    BLOCK_STRIDE_LOOP(row, rows) {
        const real* xs = x + row * columns;
        const LogSumExp log_sum_exp(xs, columns);
        for (index_t c = threadIdx.x; c < columns; c += blockDim.x)
            y[row * columns + c] = (real)log_sum_exp.log_softmax(xs[c]);
    }
}

// grad - softmax * sum(grad), the softmax being exp(y).
extern "C" __global__ void log_softmax_grad(
    const real* grad, const real* y, real* grad_x, index_t rows, index_t columns
) {
    BLOCK_STRIDE_LOOP(row, rows) {
        const real *g = grad + row * columns, *ys = y + row * columns;
        const double sum = row_sum(columns, [=](index_t c) { return (double)g[c]; });
        for (index_t c = threadIdx.x; c < columns; c += blockDim.x)
            grad_x[row * columns + c] = (real)(g[c] - exp((double)ys[c]) * sum);
    }
}

extern "C" __global__ void softmax(const real* x, real* y, index_t rows, index_t columns) {
    BLOCK_STRIDE_LOOP(row, rows) {
        const real* xs = x + row * columns;
        const LogSumExp log_sum_exp(xs, columns);
        for (index_t c = threadIdx.x; c < columns; c += blockDim.x)
            y[row * columns + c] = (real)exp(log_sum_exp.log_softmax(xs[c]));
    }
}

// y * (grad - sum(grad * y)).
extern "C" __global__ void softmax_grad(const real* grad, const real* y, real* grad_x, index_t rows, index_t columns) {
    BLOCK_STRIDE_LOOP(row, rows) {
        const real *g = grad + row * columns, *ys = y + row * columns;
        const double sum = row_sum(columns, [=](index_t c) { return (double)g[c] * ys[c]; });
        for (index_t c = threadIdx.x; c < columns; c += blockDim.x)
            grad_x[row * columns + c] = (real)(ys[c] * (g[c] - sum));
    }
}

// The targets of cross entropy. Smoothing distributes that fraction of a row's mass evenly over all classes.
struct ClassIndices {
    const index_t* target;  // (rows,)
    real smoothing;
    index_t columns;
    __device__ double at(index_t row, index_t c) const {
        return (c == target[row] ? 1 - (double)smoothing : 0) + (double)smoothing / columns;
    }
};

struct SoftTargets {
    const real* target;  // (rows, C)
    real smoothing;
    index_t columns;
    __device__ double at(index_t row, index_t c) const {
        return target[row * columns + c] * (1 - (double)smoothing) + (double)smoothing / columns;
    }
};

// losses[row] = -sum(target * log softmax(logits)). A class with no mass adds nothing, even if its logit is -inf.
template <typename Target>
__device__ void row_losses(const real* logits, Target target, real* losses, index_t rows, index_t columns) {
    BLOCK_STRIDE_LOOP(row, rows) {
        const real* xs = logits + row * columns;
        const LogSumExp log_sum_exp(xs, columns);
        const double sum = row_sum(columns, [=](index_t c) {
            const double mass = target.at(row, c);
            return mass == 0 ? 0 : mass * log_sum_exp.log_softmax(xs[c]);
        });
        if (threadIdx.x == 0) losses[row] = (real)-sum;
    }
}

// (softmax * sum(target) - target) * scale.
template <typename Target>
__device__ void row_gradients(
    const real* logits, Target target, real* grad, real scale, index_t rows, index_t columns
) {
    BLOCK_STRIDE_LOOP(row, rows) {
        const real* xs = logits + row * columns;
        const LogSumExp log_sum_exp(xs, columns);
        const double mass = row_sum(columns, [=](index_t c) { return target.at(row, c); });
        for (index_t c = threadIdx.x; c < columns; c += blockDim.x)
            grad[row * columns + c] = (real)((exp(log_sum_exp.log_softmax(xs[c])) * mass - target.at(row, c)) * scale);
    }
}

extern "C" __global__ void cross_entropy_classes(
    const real* logits, const index_t* target, real* losses, real smoothing, index_t rows, index_t columns
) {
    row_losses(logits, ClassIndices{target, smoothing, columns}, losses, rows, columns);
}

extern "C" __global__ void cross_entropy_classes_grad(
    const real* logits, const index_t* target, real* grad, real smoothing, real scale, index_t rows, index_t columns
) {
    row_gradients(logits, ClassIndices{target, smoothing, columns}, grad, scale, rows, columns);
}

extern "C" __global__ void cross_entropy_soft(
    const real* logits, const real* target, real* losses, real smoothing, index_t rows, index_t columns
) {
    row_losses(logits, SoftTargets{target, smoothing, columns}, losses, rows, columns);
}

extern "C" __global__ void cross_entropy_soft_grad(
    const real* logits, const real* target, real* grad, real smoothing, real scale, index_t rows, index_t columns
) {
    row_gradients(logits, SoftTargets{target, smoothing, columns}, grad, scale, rows, columns);
}
