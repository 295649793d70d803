// One step of an optimizer, every element at once and in place. The settings that depend on the step, such as Adam's
// bias corrections, are computed on the host.
#include "grid.cuh"

// w -= lr * (grad + decay * w): gradient descent with L2 weight decay.
extern "C" __global__ void sgd(real* w, const real* grad, real lr, real decay, whole count) {
    EACH(i, count) w[i] -= lr * (decay != 0 ? grad[i] + decay * w[i] : grad[i]);
}

// velocity = momentum * velocity + gradient (at the first step: the gradient); w -= lr * velocity, or, Nesterov's,
// lr * (gradient + momentum * velocity). The gradient includes the weight decay.
extern "C" __global__ void sgd_momentum(
    real* w, const real* grad, real* velocity, real lr, real momentum, real decay, whole nesterov, whole first,
    whole count
) {
    EACH(i, count) {
        const real g = decay != 0 ? grad[i] + decay * w[i] : grad[i];
        const real v = first ? g : momentum * velocity[i] + g;
        velocity[i] = v;
        w[i] -= lr * (nesterov ? g + momentum * v : v);
    }
}

// Adam (Kingma and Ba, arXiv 1412.6980) with `decay`, which is added to the gradient (L2); AdamW (Loshchilov and
// Hutter, arXiv 1711.05101) with `keep` = 1 - lr * weight decay, by which the weight itself shrinks first.
//
// beta1 and rest1 = 1 - beta1, rounded each for itself as NumPy does; step_size = lr / (1 - beta1^t);
// correction = sqrt(1 - beta2^t).
extern "C" __global__ void adam(
    real* w, const real* grad, real* mean, real* square, real beta1, real rest1, real beta2, real rest2,
    real step_size, real correction, real eps, real decay, real keep, whole count
) {
    EACH(i, count) {
        const real weight = w[i] * keep;
        const real g = decay != 0 ? grad[i] + decay * weight : grad[i];
        const real m = beta1 * mean[i] + rest1 * g;
        const real s = beta2 * square[i] + rest2 * g * g;
        mean[i] = m;
        square[i] = s;
        w[i] = weight - step_size * (m / (sqrt(s) / correction + eps));
    }
}
