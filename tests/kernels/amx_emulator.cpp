// AMX on processors that lack it: executes the tile instructions that the kernel of Linux reports
// as illegal, as Intel's manual defines them (Software Developer's Manual, volume 2, "TDPBUSD" and
// its neighbours; volume 1, chapter 18). To be preloaded: it also grants the permission for tile
// data. What the processor would refuse ends the process with a line that says why.
//
// g++ -O2 -shared -fPIC amx_emulator.cpp -o amx_emulator.so

#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sys/syscall.h>
#include <ucontext.h>

namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;
constexpr long kRequestPermission = 0x1023, kTileData = 18;

struct Tile {
    int rows, row_bytes;
    uint8_t data[kRows][kRowBytes];
};

struct Unit {
    bool configured;
    Tile tile[kTiles];
};

thread_local Unit unit;
unsigned long dots, kept;  // products; threads that have tiles, or set them up twice

[[noreturn]] void refuse(const char *why) {
    fprintf(stderr, "amx_emulator: %s\n", why);
    abort();
}

// What the instruction's prefix and operands say; the fields have the manual's names.
struct Instruction {
    int opcode, pp, reg, rm, mod, vvvv, length;
    uint8_t *address;
    int64_t stride;
};

uint64_t general(const ucontext_t *context, int number) {
    static const int place[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};
    return context->uc_mcontext.gregs[place[number]];
}

// Whether the bytes at the program counter are an AMX instruction: a VEX prefix of three bytes,
// map 0F38, W 0, 128 bits.
bool decode(const ucontext_t *context, Instruction &found) {
    auto *code = reinterpret_cast<const uint8_t *>(context->uc_mcontext.gregs[REG_RIP]);
    if (code[0] != 0xC4 || (code[1] & 0x1F) != 2 || (code[2] & 0x84) != 0) return false;
    int high_index = code[1] & 0x40 ? 0 : 8, high_base = code[1] & 0x20 ? 0 : 8;
    found.pp = code[2] & 3;
    found.vvvv = ~code[2] >> 3 & 15;
    found.opcode = code[3];
    if (found.opcode != 0x49 && found.opcode != 0x4B && found.opcode != 0x5E) return false;
    found.mod = code[4] >> 6;
    found.reg = code[4] >> 3 & 7;
    found.rm = code[4] & 7;
    found.length = 5;
    found.address = nullptr;
    found.stride = 0;
    if (found.mod == 3) return true;
    const uint8_t *next = code + 5;
    uint64_t address;
    int base = found.rm + high_base;
    if (found.rm == 4) {
        int sib = *next++, index = (sib >> 3 & 7) + high_index;
        base = (sib & 7) + high_base;
        if (index != 4) found.stride = static_cast<int64_t>(general(context, index)) << (sib >> 6);
        if (found.mod == 0 && (sib & 7) == 5) refuse("an address without a base");
    } else if (found.opcode == 0x4B) {
        refuse("a tile in memory without a SIB byte");
    } else if (found.mod == 0 && found.rm == 5) {
        refuse("an address relative to the program counter");
    }
    address = general(context, base);
    if (found.mod == 1) {
        address += static_cast<int8_t>(*next);
        next += 1;
    } else if (found.mod == 2) {
        int32_t displacement;
        memcpy(&displacement, next, 4);
        address += displacement;
        next += 4;
    }
    found.address = reinterpret_cast<uint8_t *>(address);
    found.length = static_cast<int>(next - code);
    return true;
}

void release() {
    if (unit.configured) __atomic_fetch_sub(&kept, 1, __ATOMIC_RELAXED);
    unit = {};
}

void configure(const uint8_t *memory) {
    if (memory[0] == 0) return release();
    if (memory[0] != 1) refuse("a palette that is not 1");
    for (int k = 2; k < 64; k++) {
        bool reserved = k < 16 || (k >= 32 && k < 48) || k >= 56;
        if (reserved && memory[k] != 0) refuse("a reserved byte that is not 0");
    }
    unit = {};
    for (int k = 0; k < kTiles; k++) {
        int row_bytes = memory[16 + 2 * k] + 256 * memory[17 + 2 * k], rows = memory[48 + k];
        if (row_bytes > kRowBytes || rows > kRows)
            refuse("a tile of more than 16 rows of 64 bytes");
        if ((row_bytes == 0) != (rows == 0)) refuse("a tile of rows without bytes");
        unit.tile[k].row_bytes = row_bytes;
        unit.tile[k].rows = rows;
    }
    unit.configured = true;
    __atomic_fetch_add(&kept, 1, __ATOMIC_RELAXED);
}

Tile &tile(int number) {
    if (!unit.configured) refuse("a tile before ldtilecfg or after tilerelease");
    if (number >= kTiles || unit.tile[number].rows == 0) refuse("a tile that is not configured");
    return unit.tile[number];
}

void load(Tile &target, const uint8_t *address, int64_t stride) {
    memset(target.data, 0, sizeof target.data);
    for (int row = 0; row < target.rows; row++)
        memcpy(target.data[row], address + row * stride, target.row_bytes);
}

void store(const Tile &source, uint8_t *address, int64_t stride) {
    for (int row = 0; row < source.rows; row++)
        memcpy(address + row * stride, source.data[row], source.row_bytes);
}

int byte_of(const Tile &source, int row, int column, bool is_signed) {
    uint8_t value = source.data[row][column];
    return is_signed ? static_cast<int8_t>(value) : value;
}

// Prefix: none is unsigned x unsigned, 66 unsigned x signed, F3 signed x unsigned, F2 both signed.
void dot(int total_number, int left_number, int right_number, int pp) {
    if (total_number == left_number || total_number == right_number || left_number == right_number)
        refuse("a product with the same tile twice");
    Tile &total = tile(total_number), &left = tile(left_number), &right = tile(right_number);
    if (total.rows != left.rows || left.row_bytes != 4 * right.rows ||
        total.row_bytes != right.row_bytes)
        refuse("a product of tiles whose shapes do not fit");
    bool left_signed = pp & 2, right_signed = pp == 1 || pp == 3;
    for (int m = 0; m < total.rows; m++)
        for (int n = 0; n < total.row_bytes / 4; n++) {
            uint32_t sum;
            memcpy(&sum, &total.data[m][4 * n], 4);
            for (int k = 0; k < left.row_bytes; k++)
                sum += static_cast<uint32_t>(byte_of(left, m, k, left_signed) *
                                             byte_of(right, k / 4, 4 * n + k % 4, right_signed));
            memcpy(&total.data[m][4 * n], &sum, 4);
        }
    for (int m = total.rows; m < kRows; m++) memset(total.data[m], 0, kRowBytes);
    __atomic_fetch_add(&dots, 1, __ATOMIC_RELAXED);
}

// Prefixes of two bits, in the order of the manual: none, 66, F3, F2.
bool execute(const Instruction &it) {
    bool memory = it.mod != 3;
    if (it.opcode == 0x49 && memory && it.pp == 0 && it.reg == 0) {
        configure(it.address);
    } else if (it.opcode == 0x49 && !memory && it.pp == 0 && it.reg == 0 && it.rm == 0) {
        release();
    } else if (it.opcode == 0x49 && !memory && it.pp == 3 && it.rm == 0) {
        memset(tile(it.reg).data, 0, sizeof tile(it.reg).data);
    } else if (it.opcode == 0x4B && memory && (it.pp == 3 || it.pp == 1)) {
        load(tile(it.reg), it.address, it.stride);
    } else if (it.opcode == 0x4B && memory && it.pp == 2) {
        store(tile(it.reg), it.address, it.stride);
    } else if (it.opcode == 0x5E && !memory) {
        dot(it.reg, it.rm, it.vvvv, it.pp);
    } else {
        return false;
    }
    return true;
}

void handle(int number, siginfo_t *, void *where) {
    auto *context = static_cast<ucontext_t *>(where);
    Instruction found;
    if (decode(context, found) && execute(found)) {
        context->uc_mcontext.gregs[REG_RIP] += found.length;
    } else {
        signal(number, SIG_DFL);  // the instruction runs again, and ends the process
    }
}

__attribute__((constructor)) void install() {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, nullptr);
}

}  // namespace

// Products of tiles that this process has executed.
extern "C" unsigned long amx_emulator_dots() { return __atomic_load_n(&dots, __ATOMIC_RELAXED); }

// How often tiles were set up and not released, by any thread.
extern "C" unsigned long amx_emulator_kept() { return __atomic_load_n(&kept, __ATOMIC_RELAXED); }

extern "C" long syscall(long number, ...) {
    using Call = long (*)(long, ...);
    static auto next = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "syscall"));
    va_list rest;
    va_start(rest, number);
    long word[6];
    for (long &value : word) value = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_arch_prctl && word[0] == kRequestPermission && word[1] == kTileData) return 0;
    return next(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}
