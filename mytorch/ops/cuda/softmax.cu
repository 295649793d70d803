// Softmax, its logarithm and cross entropy over rows of C logits, and their gradients: one block a row, whose threads
// take every blockDim-th column each. No exponential overflows, as the row's largest is subtracted first.
#include "grid.cuh"
#include "block.cuh"

// The sum over a row's columns of term(c).
template <typename Term>
__device__ double row_sum(whole columns, Term term) {
    double sum = 0;
    for (whole c = threadIdx.x; c < columns; c += blockDim.x) sum += term(c);
    return over_block(sum, [](double a, double b) { return a + b; });
}

// log(sum(exp(x))) of a row, as the row's largest and what the sum adds to it. NaN stays NaN.
struct LogSum {
    double largest, rest;

    __device__ LogSum(const real* x, whole columns) {
        double own = -INFINITY;
        for (whole c = threadIdx.x; c < columns; c += blockDim.x) own = larger(own, x[c]);
        const double top = over_block(own, larger);
        largest = top;
        rest = log(row_sum(columns, [=](whole c) { return exp(x[c] - top); }));
    }

    __device__ static double larger(double a, double b) { return a > b || a != a ? a : b; }

    __device__ double log_softmax(real x) const { return x - largest - rest; }
};

extern "C" __global__ void log_softmax(const real* x, real* y, whole rows, whole columns) {
    EACH_BLOCK(row, rows) {
        const real* xs = x + row * columns;
        const LogSum log_sum(xs, columns);
        for (whole c = threadIdx.x; c < columns; c += blockDim.x)
            y[row * columns + c] = (real)log_sum.log_softmax(xs[c]);
    }
}

// grad - softmax * sum(grad), the softmax being exp(y).
extern "C" __global__ void log_softmax_grad(const real* grad, const real* y, real* grad_x, whole rows, whole columns) {
    EACH_BLOCK(row, rows) {
        const real *g = grad + row * columns, *ys = y + row * columns;
        const double sum = row_sum(columns, [=](whole c) { return (double)g[c]; });
        for (whole c = threadIdx.x; c < columns; c += blockDim.x)
            grad_x[row * columns + c] = (real)(g[c] - exp((double)ys[c]) * sum);
    }
}

extern "C" __global__ void softmax(const real* x, real* y, whole rows, whole columns) {
    EACH_BLOCK(row, rows) {
        const real* xs = x + row * columns;
        const LogSum log_sum(xs, columns);
        for (whole c = threadIdx.x; c < columns; c += blockDim.x)
            y[row * columns + c] = (real)exp(log_sum.log_softmax(xs[c]));
    }
}

// y * (grad - sum(grad * y)).
extern "C" __global__ void softmax_grad(const real* grad, const real* y, real* grad_x, whole rows, whole columns) {
    EACH_BLOCK(row, rows) {
        const real *g = grad + row * columns, *ys = y + row * columns;
        const double sum = row_sum(columns, [=](whole c) { return (double)g[c] * ys[c]; });
        for (whole c = threadIdx.x; c < columns; c += blockDim.x)
            grad_x[row * columns + c] = (real)(ys[c] * (g[c] - sum));
    }
}

// What cross entropy compares with. Smoothing moves that share of a row's mass evenly over all classes.
struct ClassIndices {
    const whole* target;  // (rows,)
    real smoothing;
    whole columns;
    __device__ double at(whole row, whole c) const {
        return (c == target[row] ? 1 - (double)smoothing : 0) + (double)smoothing / columns;
    }
};

struct SoftTargets {
    const real* target;  // (rows, C)
    real smoothing;
    whole columns;
    __device__ double at(whole row, whole c) const {
        return target[row * columns + c] * (1 - (double)smoothing) + (double)smoothing / columns;
    }
};

// losses[row] = -sum(target * log softmax(logits)). A class without mass counts nothing, even at a logit of -inf.
template <typename Target>
__device__ void row_losses(const real* logits, Target target, real* losses, whole rows, whole columns) {
    EACH_BLOCK(row, rows) {
        const real* xs = logits + row * columns;
        const LogSum log_sum(xs, columns);
        const double sum = row_sum(columns, [=](whole c) {
            const double mass = target.at(row, c);
            return mass == 0 ? 0 : mass * log_sum.log_softmax(xs[c]);
        });
        if (threadIdx.x == 0) losses[row] = (real)-sum;
    }
}

// (softmax * sum(target) - target) * scale.
template <typename Target>
__device__ void row_gradients(const real* logits, Target target, real* grad, real scale, whole rows, whole columns) {
    EACH_BLOCK(row, rows) {
        const real* xs = logits + row * columns;
        const LogSum log_sum(xs, columns);
        const double mass = row_sum(columns, [=](whole c) { return target.at(row, c); });
        for (whole c = threadIdx.x; c < columns; c += blockDim.x)
            grad[row * columns + c] = (real)((exp(log_sum.log_softmax(xs[c])) * mass - target.at(row, c)) * scale);
    }
}

extern "C" __global__ void cross_entropy_classes(
    const real* logits, const whole* target, real* losses, real smoothing, whole rows, whole columns
) {
    row_losses(logits, ClassIndices{target, smoothing, columns}, losses, rows, columns);
}

extern "C" __global__ void cross_entropy_classes_grad(
    const real* logits, const whole* target, real* grad, real smoothing, real scale, whole rows, whole columns
) {
    row_gradients(logits, ClassIndices{target, smoothing, columns}, grad, scale, rows, columns);
}

extern "C" __global__ void cross_entropy_soft(
    const real* logits, const real* target, real* losses, real smoothing, whole rows, whole columns
) {
    row_losses(logits, SoftTargets{target, smoothing, columns}, losses, rows, columns);
}

extern "C" __global__ void cross_entropy_soft_grad(
    const real* logits, const real* target, real* grad, real smoothing, real scale, whole rows, whole columns
) {
    row_gradients(logits, SoftTargets{target, smoothing, columns}, grad, scale, rows, columns);
}
