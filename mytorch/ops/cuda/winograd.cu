// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308): a 3x3 convolution at stride 1, tile by tile.
//
// A tile is 6x6 pixels, seen by 4x4 outputs; tiles overlap by 2. With the constant matrices B, G and A of section 4.3,
//
//     outputs = A^T [ (G kernel G^T) * (B^T pixels B) ] A
//
// where * is elementwise: 36 products do what takes 144 in the direct way. Summed over channels, each of the 36 elements
// is a matrix product of its own, (tiles, C) by (C, F): those are cuBLAS's. Here are the transforms, which are exact but
// for rounding, each along the columns of a tile and then along its rows; and their transposes, for the gradient at the
// weight. As pixels are added up before they are multiplied, float32 loses about one digit of its seven.
//
// Transformed arrays are (36, tiles, C), or (36, C, tiles) where they are `turned`. Images are (N, H, W, C): the first of
// three axes is 1 long.
#include "grid.cuh"

constexpr int IN = 6, OUT = 4, TAP = 3, ALL = IN * IN;

// Six numbers that lie `step` apart, times B^T.
struct OfPixels {
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

// Six numbers to four: times A^T.
struct ToOutputs {
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

// Four numbers to six: times A, its transpose.
struct OfGradients {
    __device__ static void along(real* d, int step) {
        const real a = d[0], b = d[step], c = d[2 * step], e = d[3 * step];
        d[step] = a + c + (b + e);
        d[2 * step] = a + c - (b + e);
        d[3 * step] = a + 4 * c + (2 * b + 8 * e);
        d[4 * step] = a + 4 * c - (2 * b + 8 * e);
        d[5 * step] = e;
    }
};

// Three numbers to six: times G.
struct OfKernel {
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

// Six numbers to three: times G^T, its transpose.
struct ToKernel {
    __device__ static void along(real* d, int step) {
        const real sum = d[step] + d[2 * step], difference = d[2 * step] - d[step];
        const real far = d[3 * step] + d[4 * step], apart = d[3 * step] - d[4 * step];
        d[0] = d[0] / 4 - sum / 6 + far / 24;
        d[step] = difference / 6 + apart / 12;
        d[2 * step] = (far - sum) / 6 + d[5 * step];
    }
};

// Loops over a tile are unrolled, so that every index is known and the tile stays in registers.
//
// A transform along both axes of a tile that begins with `from` rows and columns and ends with `to`.
template <typename Transform>
__device__ inline void both(real* tile, int from, int to) {
    #pragma unroll
    for (int column = 0; column < from; column++) Transform::along(tile + column, IN);
    #pragma unroll
    for (int row = 0; row < to; row++) Transform::along(tile + row * IN, 1);
}

// Where a tile stands: in which image, and its uppermost leftmost output.
struct Place {
    whole image;
    int top, left;
    __device__ Place(whole tile, const Axes& tiles) {
        left = OUT * (int)take(&tile, tiles[2]);
        top = OUT * (int)take(&tile, tiles[1]);
        image = tile;
    }
};

// A pixel of x (N, H, W, C), or zero outside of the image.
__device__ inline real pixel(const real* x, whole image, int row, int column, whole c, const Axes& size, whole channels) {
    if (row < 0 || row >= size[1] || column < 0 || column >= size[2]) return 0;
    return x[((image * size[1] + row) * size[2] + column) * channels + c];
}

// B^T pixels B of a tile of channel c.
__device__ inline void pixels_of(
    real* d, const real* x, whole tile, whole c, const Axes& size, const Axes& tiles, const Axes& padding, whole channels
) {
    const Place at(tile, tiles);
    #pragma unroll
    for (int k = 0; k < ALL; k++)
        d[k] = pixel(x, at.image, at.top - padding[1] + k / IN, at.left - padding[2] + k % IN, c, size, channels);
    both<OfPixels>(d, IN, IN);
}

extern "C" __global__ void input_transform(
    const real* x, real* v, Axes size, Axes tiles, Axes padding, whole images, whole channels
) {
    const whole each = images * tiles.count() * channels;
    EACH(i, each) {
        whole tile = i;
        const whole c = take(&tile, channels);
        real d[ALL];
        pixels_of(d, x, tile, c, size, tiles, padding, channels);
        #pragma unroll
        for (int k = 0; k < ALL; k++) v[k * each + i] = d[k];
    }
}

// The same, turned. Consecutive threads take 32 tiles of a channel, whose results lie side by side, and a block several
// channels, whose pixels do.
extern "C" __global__ void input_transform_transposed(
    const real* x, real* v, Axes size, Axes tiles, Axes padding, whole images, whole channels
) {
    const whole count = images * tiles.count(), side_by_side = 32, together = 8;
    const whole runs = (count + side_by_side - 1) / side_by_side, groups = (channels + together - 1) / together;
    EACH(i, groups * runs * together * side_by_side) {
        whole left = i;
        const whole lane = take(&left, side_by_side), member = take(&left, together);
        const whole tile = take(&left, runs) * side_by_side + lane, c = left * together + member;
        if (tile >= count || c >= channels) continue;
        real d[ALL];
        pixels_of(d, x, tile, c, size, tiles, padding, channels);
        #pragma unroll
        for (int k = 0; k < ALL; k++) v[(k * channels + c) * count + tile] = d[k];
    }
}

// A gradients A^T of each tile of grad (N, OH, OW, F); size is grad's.
extern "C" __global__ void gradient_transform(
    const real* grad, real* v, Axes size, Axes tiles, whole images, whole filters
) {
    const whole each = images * tiles.count() * filters;
    EACH(i, each) {
        whole tile = i;
        const whole f = take(&tile, filters);
        const Place at(tile, tiles);
        real d[ALL];
        #pragma unroll
        for (int k = 0; k < ALL; k++) {
            const bool inside = k / IN < OUT && k % IN < OUT;
            d[k] = inside ? pixel(grad, at.image, at.top + k / IN, at.left + k % IN, f, size, filters) : (real)0;
        }
        both<OfGradients>(d, OUT, IN);
        #pragma unroll
        for (int k = 0; k < ALL; k++) v[k * each + i] = d[k];
    }
}

// y (N, OH, OW, F) = A^T products A of each tile, plus a bias (F,) if it is `biased`; size is y's.
extern "C" __global__ void output_transform(
    const real* products, real* y, const real* bias, whole biased, Axes size, Axes tiles, whole images, whole filters
) {
    const whole each = images * tiles.count() * filters;
    EACH(i, each) {
        whole tile = i;
        const whole f = take(&tile, filters);
        const Place at(tile, tiles);
        real d[ALL];
        #pragma unroll
        for (int k = 0; k < ALL; k++) d[k] = products[k * each + i];
        both<ToOutputs>(d, IN, OUT);
        const real more = biased ? bias[f] : (real)0;
        #pragma unroll
        for (int k = 0; k < OUT * OUT; k++) {
            const int row = at.top + k / OUT, column = at.left + k % OUT;
            if (row < size[1] && column < size[2])
                y[((at.image * size[1] + row) * size[2] + column) * filters + f] = d[k / OUT * IN + k % OUT] + more;
        }
    }
}

// weight (F, C, 3, 3) to (36, C, F): G kernel G^T.
extern "C" __global__ void kernel_transform(const real* weight, real* u, whole filters, whole channels) {
    const whole each = channels * filters;
    EACH(i, each) {
        whole c = i;
        const whole f = take(&c, filters);
        real d[ALL];
        #pragma unroll
        for (int k = 0; k < TAP * TAP; k++) d[k / TAP * IN + k % TAP] = weight[(f * channels + c) * TAP * TAP + k];
        both<OfKernel>(d, TAP, IN);
        #pragma unroll
        for (int k = 0; k < ALL; k++) u[k * each + i] = d[k];
    }
}

// The transpose of kernel_transform: sums (36, C, F) to the gradient at the weight, G^T sums G.
extern "C" __global__ void kernel_gradient_transform(const real* sums, real* grad, whole filters, whole channels) {
    const whole each = channels * filters;
    EACH(i, each) {
        whole c = i;
        const whole f = take(&c, filters);
        real d[ALL];
        #pragma unroll
        for (int k = 0; k < ALL; k++) d[k] = sums[k * each + i];
        both<ToKernel>(d, IN, TAP);
        #pragma unroll
        for (int k = 0; k < TAP * TAP; k++) grad[(f * channels + c) * TAP * TAP + k] = d[k / TAP * IN + k % TAP];
    }
}
