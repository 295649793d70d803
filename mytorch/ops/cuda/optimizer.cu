// One step of an optimizer, in place, one thread per element. Settings that depend on the step, such as Adam's bias
// corrections, are computed on the host.
#include "grid.cuh"

// w -= lr * (grad + decay * w): gradient descent with L2 weight decay.
extern "C" __global__ void sgd(real* w, const real* grad, real lr, real decay, index_t count) {
    GRID_STRIDE_LOOP(i, count) w[i] -= lr * (decay != 0 ? grad[i] + decay * w[i] : grad[i]);
}

// velocity = momentum * velocity + kept * gradient (in the first step, the gradient), where kept is 1 - dampening; w -= lr * velocity, or with Nesterov's
// momentum w -= lr * (gradient + momentum * velocity). The gradient includes the weight decay.
extern "C" __global__ void sgd_momentum(
    real* w, const real* grad, real* velocity, real lr, real momentum, real kept, real decay, index_t nesterov,
    index_t first, index_t count
) {
    GRID_STRIDE_LOOP(i, count) {
        const real g = decay != 0 ? grad[i] + decay * w[i] : grad[i];
        const real v = first ? g : momentum * velocity[i] + kept * g;
        velocity[i] = v;
        w[i] -= lr * (nesterov ? g + momentum * v : v);
    }
}

// Adam (Kingma and Ba, arXiv 1412.6980) with `decay`, which is added to the gradient (L2); AdamW (Loshchilov and
// Hutter, arXiv 1711.05101) with `shrink` = 1 - lr * weight decay, which the weight is multiplied by first.
//
// beta1 and 1 - beta1 are rounded separately, as in NumPy; step_size = lr / (1 - beta1^t);
// correction = sqrt(1 - beta2^t).
extern "C" __global__ void adam(
    real* w, const real* grad, real* mean, real* square,
    real beta1, real one_minus_beta1, real beta2, real one_minus_beta2,
    real step_size, real correction, real eps, real decay, real shrink, index_t count
) {
    GRID_STRIDE_LOOP(i, count) {
        const real weight = w[i] * shrink;
        const real g = decay != 0 ? grad[i] + decay * weight : grad[i];
        const real m = beta1 * mean[i] + one_minus_beta1 * g;
        const real s = beta2 * square[i] + one_minus_beta2 * g * g;
        mean[i] = m;
        square[i] = s;
        w[i] = weight - step_size * (m / (sqrt(s) / correction + eps));
    }
}
