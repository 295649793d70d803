// Activations and their gradients, dropout, and adding a bias: one thread per element. NaN stays NaN.
#include "grid.cuh"

extern "C" __global__ void relu(const real* x, real* y, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = x[i] <= 0 ? 0 : x[i];
}

extern "C" __global__ void relu_grad(const real* grad, const real* y, real* grad_x, index_t count) {
    GRID_STRIDE_LOOP(i, count) grad_x[i] = grad[i] * (real)(y[i] > 0);
}

extern "C" __global__ void leaky_relu(const real* x, real* y, real slope, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = x[i] > 0 ? x[i] : x[i] * slope;
}

extern "C" __global__ void leaky_relu_grad(const real* grad, const real* x, real* grad_x, real slope, index_t count) {
    GRID_STRIDE_LOOP(i, count) grad_x[i] = x[i] > 0 ? grad[i] : grad[i] * slope;
}

// As leaky_relu, with a learned slope per channel, or one for all channels (slopes is 1). x: (rows, C).
extern "C" __global__ void prelu(
    const real* x, const real* slope, real* y, index_t count, index_t channels, index_t slopes
) {
    GRID_STRIDE_LOOP(i, count) y[i] = x[i] > 0 ? x[i] : x[i] * slope[i % channels % slopes];
}

extern "C" __global__ void prelu_grad(
    const real* grad, const real* x, const real* slope, real* grad_x, index_t count, index_t channels, index_t slopes
) {
    GRID_STRIDE_LOOP(i, count) grad_x[i] = x[i] > 0 ? grad[i] : grad[i] * slope[i % channels % slopes];
}

// 1 / (1 + exp(-x)), computed from an exponential that does not overflow.
__device__ inline real logistic(real x) {
    const real e = exp(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e);
}

extern "C" __global__ void sigmoid(const real* x, real* y, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = logistic(x[i]);
}

extern "C" __global__ void sigmoid_grad(const real* grad, const real* y, real* grad_x, index_t count) {
    GRID_STRIDE_LOOP(i, count) grad_x[i] = grad[i] * y[i] * (1 - y[i]);
}

extern "C" __global__ void hyperbolic_tangent(const real* x, real* y, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = tanh(x[i]);
}

extern "C" __global__ void hyperbolic_tangent_grad(const real* grad, const real* y, real* grad_x, index_t count) {
    GRID_STRIDE_LOOP(i, count) grad_x[i] = grad[i] * (1 - y[i] * y[i]);
}

// The standard normal distribution function, by erfc, which is precise for very negative x. GELU is x times it
// (Hendrycks and Gimpel, arXiv 1606.08415).
__device__ inline real normal_cdf(real x) { return erfc(-x * (real)0.70710678118654752440) / 2; }

extern "C" __global__ void gelu(const real* x, real* y, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = x[i] * normal_cdf(x[i]);
}

// cdf + x * density.
extern "C" __global__ void gelu_grad(const real* grad, const real* x, real* grad_x, index_t count) {
    GRID_STRIDE_LOOP(i, count) {
        const real density = exp(-x[i] * x[i] / 2) * (real)0.39894228040143267794;
        grad_x[i] = grad[i] * (normal_cdf(x[i]) + x[i] * density);
    }
}

// x * sigmoid(x), also called swish (Ramachandran et al., arXiv 1710.05941).
extern "C" __global__ void silu(const real* x, real* y, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = x[i] * logistic(x[i]);
}

extern "C" __global__ void silu_grad(const real* grad, const real* x, real* grad_x, index_t count) {
    GRID_STRIDE_LOOP(i, count) {
        const real s = logistic(x[i]);
        grad_x[i] = grad[i] * s * (1 + x[i] * (1 - s));
    }
}

// x * scale where the mask is true, otherwise x * 0: dropout, and its gradient.
extern "C" __global__ void dropout(const real* x, const bool* mask, real* y, real scale, index_t count) {
    GRID_STRIDE_LOOP(i, count) y[i] = x[i] * (mask[i] ? scale : (real)0);
}

// y (rows, C) += bias (C,), in place.
extern "C" __global__ void add_bias(real* y, const real* bias, index_t count, index_t channels) {
    GRID_STRIDE_LOOP(i, count) y[i] += bias[i % channels];
}
