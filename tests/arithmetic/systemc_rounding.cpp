// Writes what SystemC's fixed-point types make of every 8-bit value: records of seven 16-bit
// integers (quantization, overflow, signed, shift, width, value, result) to the file argv[1].
#define SC_INCLUDE_FX
#include <cmath>
#include <cstdint>
#include <fstream>
#include <systemc>

using namespace sc_dt;

static const sc_q_mode QUANTIZATIONS[] = {SC_TRN, SC_TRN_ZERO, SC_RND_INF, SC_RND, SC_RND_CONV};
static const sc_o_mode OVERFLOWS[] = {SC_WRAP, SC_SAT, SC_SAT_SYM};

template <typename Fixed>
static void sweep(std::ofstream& out, int16_t is_signed, int overflows) {
    for (int16_t q = 0; q < 5; q++)
        for (int16_t o = 0; o < overflows; o++)
            for (int16_t width = o == 2 ? 2 : 1; width <= 9; width++) {
                Fixed target(width, width, QUANTIZATIONS[q], OVERFLOWS[o]);
                for (int16_t shift = 0; shift <= 10; shift++)
                    for (int16_t value = -128; value <= 255; value++) {
                        target = std::ldexp(double(value), -shift);  // exact
                        int16_t record[] = {q,     o,     is_signed, shift,
                                            width, value, int16_t(target.to_int())};
                        out.write(reinterpret_cast<const char*>(record), sizeof record);
                    }
            }
}

int sc_main(int, char* argv[]) {
    std::ofstream out(argv[1], std::ios::binary);
    sweep<sc_fix>(out, 1, 3);
    sweep<sc_ufix>(out, 0, 2);
    return out.good() ? 0 : 1;
}
