// Sums over the rows of a matrix (rows, C), and batch normalisation (Ioffe and Szegedy, arXiv 1502.03167) with them.
//
// x (N, *size, C) is such a matrix, a row a position. A sum over rows takes two kernels: each block adds up a chunk of
// rows, into partial (chunks, C), double; `fold` adds up the chunks. Both in a fixed order, so the same sums every time.
#include "grid.cuh"

// A number a thread, which the whole block sees.
static __device__ double* block_memory() {
    __shared__ double memory[MOST_THREADS];
    return memory;
}

// What a block does: the sums of term(row, c) over the rows of a chunk, for a tile of channels. Thread t takes channel
// t % width of the tile and every lanes-th row from t / width on; then one thread a channel adds up the lanes.
template <typename Term>
__device__ void add_rows(double* partial, whole rows, whole channels, whole chunk_rows, Term term) {
    double* lane_sums = block_memory();
    const int width = channels < blockDim.x ? (int)channels : (int)blockDim.x, lanes = blockDim.x / width;
    const int column = threadIdx.x % width, lane = threadIdx.x / width;
    const whole chunks = (rows + chunk_rows - 1) / chunk_rows, tiles = (channels + width - 1) / width;
    EACH_BLOCK(b, chunks * tiles) {
        const whole chunk = b / tiles, c = b % tiles * width + column;
        const whole end = (chunk + 1) * chunk_rows < rows ? (chunk + 1) * chunk_rows : rows;
        double sum = 0;
        if (c < channels && lane < lanes)
            for (whole row = chunk * chunk_rows + lane; row < end; row += lanes) sum += term(row, c);
        lane_sums[threadIdx.x] = sum;
        __syncthreads();
        if (c < channels && lane == 0) {
            for (int other = 1; other < lanes; other++) sum += lane_sums[other * width + column];
            partial[chunk * channels + c] = sum;
        }
        __syncthreads();  // nobody starts on the next chunk while the lanes are still read
    }
}

extern "C" __global__ void row_sums(const real* x, double* partial, whole rows, whole channels, whole chunk_rows) {
    add_rows(partial, rows, channels, chunk_rows, [=](whole row, whole c) { return (double)x[row * channels + c]; });
}

// Of the squared distances from the mean: the second pass of a variance, which keeps its digits.
extern "C" __global__ void square_sums(
    const real* x, const double* mean, double* partial, whole rows, whole channels, whole chunk_rows
) {
    add_rows(partial, rows, channels, chunk_rows, [=](whole row, whole c) {
        const double distance = x[row * channels + c] - mean[c];
        return distance * distance;
    });
}

// Of grad * (x - mean).
extern "C" __global__ void product_sums(
    const real* grad, const real* x, const real* mean, double* partial, whole rows, whole channels, whole chunk_rows
) {
    add_rows(partial, rows, channels, chunk_rows, [=](whole row, whole c) {
        const whole i = row * channels + c;
        return (double)grad[i] * ((double)x[i] - (double)mean[c]);
    });
}

// sums[c]: the chunks' sums added up and divided by `count`, in double and rounded.
extern "C" __global__ void fold(
    const double* partial, double* sums, real* rounded, whole chunks, whole channels, whole count
) {
    EACH(c, channels) {
        double sum = 0;
        for (whole chunk = 0; chunk < chunks; chunk++) sum += partial[chunk * channels + c];
        sums[c] = sum / count;
        rounded[c] = (real)sums[c];
    }
}

// (x - mean) / sqrt(var + eps) * weight + bias.
extern "C" __global__ void batch_norm(
    const real* x, real* y, const real* mean, const real* var, const real* weight, const real* bias,
    real eps, whole count, whole channels
) {
    EACH(i, count) {
        whole row = i;
        const whole c = take(&row, channels);
        y[i] = (x[i] - mean[c]) * (weight[c] / sqrt(var[c] + eps)) + bias[c];
    }
}

// The gradient at x. mean_grad and mean_product are the means over rows of grad and of grad * (x - mean), by which mean
// and variance take part; zeros where they are constants (evaluation).
extern "C" __global__ void batch_norm_grad(
    const real* grad, const real* x, real* grad_x, const real* mean, const real* var, const real* weight,
    const real* mean_grad, const real* mean_product, real eps, whole count, whole channels
) {
    EACH(i, count) {
        whole row = i;
        const whole c = take(&row, channels);
        const real through = (x[i] - mean[c]) * (mean_product[c] / (var[c] + eps)) + mean_grad[c];
        grad_x[i] = (grad[i] - through) * (weight[c] / sqrt(var[c] + eps));
    }
}
