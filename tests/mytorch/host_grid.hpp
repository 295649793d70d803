// Emulates the grid of a GPU on the host, so that the C++ compiler can compile the same sources as NVRTC.
//
// Blocks run one after another. The threads of a block are fibers: each runs until a barrier or its end, then the next one
// runs. The caller chooses their order, forwards or backwards, and shared memory starts as NaN. So a missing barrier gives
// a wrong number in one of the orders.
#include <ucontext.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __shared__ static __attribute__((section("shared_memory")))

using std::erfc, std::exp, std::log, std::sqrt, std::tanh;

template <typename T>
static T rsqrt(T x) {
    return 1 / sqrt(x);
}

struct Three {
    unsigned x = 0, y = 0, z = 0;
};

static Three threadIdx, blockIdx, blockDim, gridDim;

extern "C" char __start_shared_memory[] __attribute__((weak)), __stop_shared_memory[] __attribute__((weak));

namespace host {

constexpr int STACK = 1 << 16;

struct Fibre {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(STACK);
    bool done = false;
};

static ucontext_t scheduler;
static Fibre* running;
static const std::function<void()>* body;

static void enter() {
    (*body)();
    running->done = true;
    swapcontext(&running->context, &scheduler);
}

static void barrier() { swapcontext(&running->context, &scheduler); }

// Runs `work` as every thread of the grid. False where some threads of a block ended while others waited at a barrier.
static bool grid(unsigned blocks, unsigned threads, bool backwards, const std::function<void()>& work) {
    static std::vector<Fibre> fibres;
    if (fibres.size() < threads) fibres.resize(threads);
    body = &work;
    blockDim = {threads, 1, 1};
    gridDim = {blocks, 1, 1};
    for (unsigned b = 0; b < blocks; b++) {
        blockIdx.x = b;
        if (__start_shared_memory) memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
        for (unsigned t = 0; t < threads; t++) {
            getcontext(&fibres[t].context);
            fibres[t].context.uc_stack.ss_sp = fibres[t].stack.data();
            fibres[t].context.uc_stack.ss_size = STACK;
            fibres[t].done = false;
            makecontext(&fibres[t].context, enter, 0);
        }
        for (unsigned ended = 0; ended < threads;) {
            if (ended) return false;
            for (unsigned turn = 0; turn < threads; turn++) {
                threadIdx.x = backwards ? threads - 1 - turn : turn;
                running = &fibres[threadIdx.x];
                swapcontext(&scheduler, &running->context);
                ended += running->done;
            }
        }
    }
    return true;
}

}  // namespace host

#define __syncthreads() host::barrier()
