// What the threads of a block do together: a number of theirs combined, and the rows of a matrix (rows, C) added up.
//
// A sum over rows takes two kernels: each block adds up a chunk of rows, into partial (sums, chunks, C), double, and then
// a block a channel adds up the chunks, by `chunk_sum`. Both in a fixed order, so the same sums every time.

constexpr int MOST_SUMS = 2;  // of one pass over the rows

// A number a thread and sum, which the whole block sees.
static __device__ double* block_memory() {
    __shared__ double memory[MOST_SUMS * MOST_THREADS];
    return memory;
}

// The combination of every thread's value, which all threads get: pairs, pairs of pairs, and so on up a tree.
template <typename Combine>
__device__ double over_block(double value, Combine combine) {
    double* tree = block_memory();
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) tree[threadIdx.x] = combine(tree[threadIdx.x], tree[threadIdx.x + half]);
        __syncthreads();
    }
    const double all = tree[0];
    __syncthreads();  // nobody writes the next tree while this one is still read
    return all;
}

// What a block does: for a tile of channels, the sums over the rows of a chunk of what term(row, c, sums) adds to `sums`.
// Thread t takes channel t % width of the tile and every lanes-th row from t / width on; then one thread a channel adds
// up the lanes.
template <int SUMS, typename Term>
__device__ void add_rows(double* partial, whole rows, whole channels, whole chunk_rows, Term term) {
    static_assert(SUMS <= MOST_SUMS, "block_memory has no room for so many");
    double* lane_sums = block_memory();
    const int width = channels < blockDim.x ? (int)channels : (int)blockDim.x, lanes = blockDim.x / width;
    const int column = threadIdx.x % width, lane = threadIdx.x / width;
    const whole chunks = (rows + chunk_rows - 1) / chunk_rows, tiles = (channels + width - 1) / width;
    EACH_BLOCK(b, chunks * tiles) {
        const whole chunk = b / tiles, c = b % tiles * width + column;
        const whole end = (chunk + 1) * chunk_rows < rows ? (chunk + 1) * chunk_rows : rows;
        double sums[SUMS] = {};
        if (c < channels && lane < lanes)
            for (whole row = chunk * chunk_rows + lane; row < end; row += lanes) term(row, c, sums);
        for (int s = 0; s < SUMS; s++) lane_sums[s * MOST_THREADS + threadIdx.x] = sums[s];
        __syncthreads();
        if (c < channels && lane == 0)
            for (int s = 0; s < SUMS; s++) {
                double sum = sums[s];
                for (int other = 1; other < lanes; other++) sum += lane_sums[s * MOST_THREADS + other * width + column];
                partial[(s * chunks + chunk) * channels + c] = sum;
            }
        __syncthreads();  // nobody starts on the next chunk while the lanes are still read
    }
}

// What a block does with the partial sums of channel c: adds up the chunks of sum number s. All its threads get it.
__device__ inline double chunk_sum(const double* partial, int s, whole c, whole chunks, whole channels) {
    double sum = 0;
    for (whole chunk = threadIdx.x; chunk < chunks; chunk += blockDim.x)
        sum += partial[(s * chunks + chunk) * channels + c];
    return over_block(sum, [](double a, double b) { return a + b; });
}
