// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308): a 3x3 convolution at stride 1, tile by
// tile.
//
// A tile has 6x6 pixels, which 4x4 outputs need; tiles overlap by 2. With the constant matrices B, G and A of section
// 4.3,
//
//     outputs = A^T [ (G kernel G^T) * (B^T pixels B) ] A
//
// where * is elementwise: 36 products instead of 144 in direct convolution. Summed over channels, each of the 36
// elements is a matrix product, (tiles, C) by (C, F), computed by cuBLAS. This file has the transforms, each applied to
// the columns of a tile and then to its rows, and their transposes for the gradient at the weight. As pixels are added
// before they are multiplied, float32 loses about one of its seven digits.
//
// Transformed arrays are (36, tiles, C), or (36, C, tiles) if transposed. Images are (N, H, W, C): the first of three
// axes has length 1.
#include "grid.cuh"

constexpr int TILE_INPUTS = 6, TILE_OUTPUTS = 4, KERNEL_SIZE = 3, TILE_ELEMENTS = TILE_INPUTS * TILE_INPUTS;
constexpr int KERNEL_ELEMENTS = KERNEL_SIZE * KERNEL_SIZE;

// Multiply six numbers, `step` apart, by B^T.
struct InputTransform {
    __device__ static void along(real* d, int step) {
        const real a = d[0], b = d[step], c = d[2 * step], e = d[3 * step], f = d[4 * step], g = d[5 * step];
        const real even = f - 4 * c, odd = e - 4 * b, wide = f - c, twice = 2 * (e - b);
        d[0] = 4 * a - 5 * c + f;
        d[step] = even + odd;
        d[2 * step] = even - odd;
        d[3 * step] = wide + twice;
        d[4 * step] = wide - twice;
        d[5 * step] = 4 * b - 5 * e + g;
    }
};

// Six numbers to four: multiply by A^T.
struct OutputTransform {
    __device__ static void along(real* d, int step) {
        const real a = d[0], g = d[5 * step];
        const real sum = d[step] + d[2 * step], difference = d[step] - d[2 * step];
        const real far = d[3 * step] + d[4 * step], apart = d[3 * step] - d[4 * step];
        d[0] = a + sum + far;
        d[step] = difference + 2 * apart;
        d[2 * step] = sum + 4 * far;
        d[3 * step] = difference + 8 * apart + g;
    }
};

// Four numbers to six: multiply by A, its transpose.
struct GradientTransform {
    __device__ static void along(real* d, int step) {
        const real a = d[0], b = d[step], c = d[2 * step], e = d[3 * step];
        d[step] = a + c + (b + e);
        d[2 * step] = a + c - (b + e);
        d[3 * step] = a + 4 * c + (2 * b + 8 * e);
        d[4 * step] = a + 4 * c - (2 * b + 8 * e);
        d[5 * step] = e;
    }
};

// Three numbers to six: multiply by G.
struct KernelTransform {
    __device__ static void along(real* d, int step) {
        const real a = d[0], b = d[step], c = d[2 * step];
        d[0] = a / 4;
        d[step] = -(a + c + b) / 6;
        d[2 * step] = -(a + c - b) / 6;
        d[3 * step] = (a + 4 * c + 2 * b) / 24;
        d[4 * step] = (a + 4 * c - 2 * b) / 24;
        d[5 * step] = c;
    }
};

// Six numbers to three: multiply by G^T, its transpose.
struct KernelGradientTransform {
    __device__ static void along(real* d, int step) {
        const real sum = d[step] + d[2 * step], difference = d[2 * step] - d[step];
        const real far = d[3 * step] + d[4 * step], apart = d[3 * step] - d[4 * step];
        d[0] = d[0] / 4 - sum / 6 + far / 24;
        d[step] = difference / 6 + apart / 12;
        d[2 * step] = (far - sum) / 6 + d[5 * step];
    }
};

// Apply a transform along both axes of a tile, from `from` rows and columns to `to`. Loops over a tile are unrolled, so
// that all indices are constants and the tile stays in registers.
template <typename Transform>
__device__ inline void transform_tile(real* tile, int from, int to) {
    #pragma unroll
    for (int column = 0; column < from; column++) Transform::along(tile + column, TILE_INPUTS);
    #pragma unroll
    for (int row = 0; row < to; row++) Transform::along(tile + row * TILE_INPUTS, 1);
}

// The position of a tile: its image, and its top left output.
struct TilePosition {
    index_t image;
    int top, left;
    __device__ TilePosition(index_t tile, const Axes& tiles) {
        left = TILE_OUTPUTS * (int)pop_index(&tile, tiles[2]);
        top = TILE_OUTPUTS * (int)pop_index(&tile, tiles[1]);
        image = tile;
    }
};

// A pixel of x (N, H, W, C), or zero outside the image.
__device__ inline real pixel(
    const real* x, index_t image, int row, int column, index_t c, const Axes& size, index_t channels
) {
    if (row < 0 || row >= size[1] || column < 0 || column >= size[2]) return 0;
    return x[((image * size[1] + row) * size[2] + column) * channels + c];
}

// B^T pixels B of a tile of channel c.
__device__ inline void load_and_transform(
    real* d, const real* x, index_t tile, index_t c,
    const Axes& size, const Axes& tiles, const Axes& padding, index_t channels
) {
    const TilePosition at(tile, tiles);
    #pragma unroll
    for (int k = 0; k < TILE_ELEMENTS; k++) {
        const int row = at.top - padding[1] + k / TILE_INPUTS, column = at.left - padding[2] + k % TILE_INPUTS;
        d[k] = pixel(x, at.image, row, column, c, size, channels);
    }
    transform_tile<InputTransform>(d, TILE_INPUTS, TILE_INPUTS);
}

extern "C" __global__ void input_transform(
    const real* x, real* v, Axes size, Axes tiles, Axes padding, index_t images, index_t channels
) {
    const index_t each = images * tiles.count() * channels;
    GRID_STRIDE_LOOP(i, each) {
        index_t tile = i;
        const index_t c = pop_index(&tile, channels);
        real d[TILE_ELEMENTS];
        load_and_transform(d, x, tile, c, size, tiles, padding, channels);
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) v[k * each + i] = d[k];
    }
}

// The same, transposed. Consecutive threads process 32 tiles of a channel, whose results are contiguous, and a block
// several channels, whose pixels are.
extern "C" __global__ void input_transform_transposed(
    const real* x, real* v, Axes size, Axes tiles, Axes padding, index_t images, index_t channels
) {
    const index_t count = images * tiles.count(), side_by_side = 32, together = 8;
    const index_t runs = (count + side_by_side - 1) / side_by_side, groups = (channels + together - 1) / together;
    GRID_STRIDE_LOOP(i, groups * runs * together * side_by_side) {
        index_t left = i;
        const index_t lane = pop_index(&left, side_by_side), member = pop_index(&left, together);
        const index_t tile = pop_index(&left, runs) * side_by_side + lane, c = left * together + member;
        if (tile >= count || c >= channels) continue;
        real d[TILE_ELEMENTS];
        load_and_transform(d, x, tile, c, size, tiles, padding, channels);
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) v[(k * channels + c) * count + tile] = d[k];
    }
}

// A gradients A^T of each tile of grad (N, OH, OW, F); size is grad's.
extern "C" __global__ void gradient_transform(
    const real* grad, real* v, Axes size, Axes tiles, index_t images, index_t filters
) {
    const index_t each = images * tiles.count() * filters;
    GRID_STRIDE_LOOP(i, each) {
        index_t tile = i;
        const index_t f = pop_index(&tile, filters);
        const TilePosition at(tile, tiles);
        real d[TILE_ELEMENTS];
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) {
            const bool inside = k / TILE_INPUTS < TILE_OUTPUTS && k % TILE_INPUTS < TILE_OUTPUTS;
            const int row = at.top + k / TILE_INPUTS, column = at.left + k % TILE_INPUTS;
            d[k] = inside ? pixel(grad, at.image, row, column, f, size, filters) : (real)0;
        }
        transform_tile<GradientTransform>(d, TILE_OUTPUTS, TILE_INPUTS);
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) v[k * each + i] = d[k];
    }
}

// y (N, OH, OW, F) = A^T products A of each tile, plus a bias (F,) if `biased` is set; size is y's.
extern "C" __global__ void output_transform(
    const real* products, real* y, const real* bias, index_t biased, Axes size, Axes tiles,
    index_t images, index_t filters
) {
    const index_t each = images * tiles.count() * filters;
    GRID_STRIDE_LOOP(i, each) {
        index_t tile = i;
        const index_t f = pop_index(&tile, filters);
        const TilePosition at(tile, tiles);
        real d[TILE_ELEMENTS];
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) d[k] = products[k * each + i];
        transform_tile<OutputTransform>(d, TILE_INPUTS, TILE_OUTPUTS);
        const real more = biased ? bias[f] : (real)0;
        #pragma unroll
        for (int k = 0; k < TILE_OUTPUTS * TILE_OUTPUTS; k++) {
            const int row = at.top + k / TILE_OUTPUTS, column = at.left + k % TILE_OUTPUTS;
            if (row < size[1] && column < size[2])
                y[((at.image * size[1] + row) * size[2] + column) * filters + f] =
                    d[k / TILE_OUTPUTS * TILE_INPUTS + k % TILE_OUTPUTS] + more;
        }
    }
}

// weight (F, C, 3, 3) to (36, C, F): G kernel G^T.
extern "C" __global__ void kernel_transform(const real* weight, real* u, index_t filters, index_t channels) {
    const index_t each = channels * filters;
    GRID_STRIDE_LOOP(i, each) {
        index_t c = i;
        const index_t f = pop_index(&c, filters);
        real d[TILE_ELEMENTS];
        #pragma unroll
        for (int k = 0; k < KERNEL_ELEMENTS; k++)
            d[k / KERNEL_SIZE * TILE_INPUTS + k % KERNEL_SIZE] = weight[(f * channels + c) * KERNEL_ELEMENTS + k];
        transform_tile<KernelTransform>(d, KERNEL_SIZE, TILE_INPUTS);
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) u[k * each + i] = d[k];
    }
}

// The transpose of kernel_transform: sums (36, C, F) to the gradient at the weight, G^T sums G.
extern "C" __global__ void kernel_gradient_transform(const real* sums, real* grad, index_t filters, index_t channels) {
    const index_t each = channels * filters;
    GRID_STRIDE_LOOP(i, each) {
        index_t c = i;
        const index_t f = pop_index(&c, filters);
        real d[TILE_ELEMENTS];
        #pragma unroll
        for (int k = 0; k < TILE_ELEMENTS; k++) d[k] = sums[k * each + i];
        transform_tile<KernelGradientTransform>(d, TILE_INPUTS, KERNEL_SIZE);
        #pragma unroll
        for (int k = 0; k < KERNEL_ELEMENTS; k++)
            grad[(f * channels + c) * KERNEL_ELEMENTS + k] = d[k / KERNEL_SIZE * TILE_INPUTS + k % KERNEL_SIZE];
    }
}
