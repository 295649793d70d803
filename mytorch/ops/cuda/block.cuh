// Reductions by the threads of a block: of one number per thread, and of the rows of a matrix (rows, C).
//
// A sum over rows takes two kernels. In the first, each block sums a chunk of rows into partial (sums, chunks, C),
// double. In the second, one block per channel adds up the chunks with `combine_chunks`. The order is fixed, so results
// are reproducible.

constexpr int MAX_SUMS = 2;  // in one pass over the rows

// Shared memory with one number per thread and sum.
static __device__ double* shared_memory() {
    __shared__ double memory[MAX_SUMS * MAX_THREADS];
    return memory;
}

// Combine the values of all threads in a tree (pairs, pairs of pairs, ...), and return the result to all threads.
template <typename Combine>
__device__ double block_reduce(double value, Combine combine) {
    double* tree = shared_memory();
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) tree[threadIdx.x] = combine(tree[threadIdx.x], tree[threadIdx.x + half]);
        __syncthreads();
    }
    const double all = tree[0];
    __syncthreads();  // the next tree must not be written while this one is read
    return all;
}

// For a tile of channels, sum over the rows of a chunk what term(row, c, sums) adds to `sums`. Thread t processes
// channel t % width of the tile and every lanes-th row from t / width on; then one thread per channel adds up the
// lanes.
template <int SUMS, typename Term>
__device__ void sum_rows(double* partial, index_t rows, index_t channels, index_t chunk_rows, Term term) {
    static_assert(SUMS <= MAX_SUMS, "shared_memory is too small for so many sums");
    double* lane_sums = shared_memory();
    const int width = channels < blockDim.x ? (int)channels : (int)blockDim.x, lanes = blockDim.x / width;
    const int column = threadIdx.x % width, lane = threadIdx.x / width;
    const index_t chunks = (rows + chunk_rows - 1) / chunk_rows, tiles = (channels + width - 1) / width;
    BLOCK_STRIDE_LOOP(b, chunks * tiles) {
        const index_t chunk = b / tiles, c = b % tiles * width + column;
        const index_t end = (chunk + 1) * chunk_rows < rows ? (chunk + 1) * chunk_rows : rows;
        double sums[SUMS] = {};
        if (c < channels && lane < lanes)
            for (index_t row = chunk * chunk_rows + lane; row < end; row += lanes) term(row, c, sums);
        for (int s = 0; s < SUMS; s++) lane_sums[s * MAX_THREADS + threadIdx.x] = sums[s];
        __syncthreads();
        if (c < channels && lane == 0)
            for (int s = 0; s < SUMS; s++) {
                double sum = sums[s];
                for (int other = 1; other < lanes; other++) sum += lane_sums[s * MAX_THREADS + other * width + column];
                partial[(s * chunks + chunk) * channels + c] = sum;
            }
        __syncthreads();  // the next chunk must not be written while the lanes are read
    }
}

// Add up the chunks of sum number s of channel c, and return the total to all threads of the block.
__device__ inline double combine_chunks(const double* partial, int s, index_t c, index_t chunks, index_t channels) {
    double sum = 0;
    for (index_t chunk = threadIdx.x; chunk < chunks; chunk += blockDim.x)
        sum += partial[(s * chunks + chunk) * channels + c];
    return block_reduce(sum, [](double a, double b) { return a + b; });
}
