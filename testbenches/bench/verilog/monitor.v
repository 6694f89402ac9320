// Monitor: checks the rules of valid and ready, and compares each word that is taken.
//
// The rules (AXI4-Stream; Amaranth's streams have the same): once valid, a word stays valid and
// unchanged until it is taken. Valid, ready and last are never unknown.
module fxsim__monitor #(
    parameter CHANNEL = 0,
    parameter WIDTH = 8,
    parameter BYTES = 1,    // of a word in the file
    parameter BEATS = 1,    // words of a vector
    parameter FRAMED = 0,   // whether there is a last, and a byte with flags before the words
    parameter COMPARE = 1,  // 0 for what the bench itself sends: it needs no look into the file
    parameter TIMED = 0     // whether the cycle of each word is kept
) (
    input clk,
    input start,
    input step,             // look at the values that this edge samples
    input [31:0] cycle,     // its number
    input [31:0] times,     // file for cycles
    input [WIDTH-1:0] data,
    input valid,
    input ready,
    input last,
    output taken,
    output over,            // every expected word has passed, with the present one
    output broken,          // a rule was, with the present cycle
    output [31:0] passed    // whole vectors, with the present word
);
  // Codes of `fault`, as fxsim.testbenches.bench.rules puts them into words.
  localparam VALID = 1, FELL = 2, LAST = 3, CHANGED = 4, READY = 5, MORE = 6, WRONG_LAST = 7;

  reg [63:0] seen /*verilator public_flat_rd*/;
  reg [63:0] wrong /*verilator public_flat_rd*/;
  reg [63:0] first_place /*verilator public_flat_rd*/;
  reg [31:0] first_cycle /*verilator public_flat_rd*/;
  reg [WIDTH-1:0] first_word /*verilator public_flat_rd*/;
  reg [3:0] fault /*verilator public_flat_rd*/;
  reg [31:0] fault_cycle /*verilator public_flat_rd*/;
  reg fault_bit /*verilator public_flat_rd*/;

  localparam BITS = 8 * (BYTES + FRAMED);
  wire [63:0] count;
  wire [BITS-1:0] word;
  reg [31:0] vectors, beat;
  reg [WIDTH-1:0] held;
  reg holding, held_last;

  wire [BITS+7:0] wide = {8'd0, word};
  wire ends = FRAMED & wide[8*BYTES];
  wire known = (valid === 1'b1) & (!FRAMED | (last === 1'b0) | (last === 1'b1));
  wire kept = !holding | ((data === held) & (!FRAMED | (last === held_last)));
  // A word is handed over by the rules so far; it is counted if it was still expected, and taken if
  // its last is right as well.
  wire handed = step & known & kept & (ready === 1'b1);
  wire surplus = handed & (seen == count);
  wire counted = handed & !surplus;
  wire misplaced = counted & FRAMED & COMPARE & (last !== ends);

  fxsim__words #(.CHANNEL(CHANNEL), .BITS(BITS)) words(
      .clk(clk), .start(start), .next(counted & (COMPARE != 0)), .count(count), .word(word));

  wire vector_ends = beat == BEATS - 1;
  reg [3:0] code;
  always @(*) begin
    code = 0;
    if (valid === 1'b0) code = holding ? FELL : 0;
    else if (valid !== 1'b1) code = VALID;
    else if (!known) code = LAST;
    else if (!kept) code = CHANGED;
    else if ((ready !== 1'b0) & (ready !== 1'b1)) code = READY;
    else if (surplus) code = MORE;
    else if (misplaced) code = WRONG_LAST;
  end
  assign taken = counted & !misplaced;
  assign over = seen + {63'd0, counted} == count;
  assign broken = (fault != 0) | (step & (code != 0));
  assign passed = vectors + {31'd0, counted & vector_ends};

  initial begin
    seen = 0;
    wrong = 0;
    fault = 0;
    holding = 0;
    vectors = 0;
    beat = 0;
  end

  always @(posedge clk)
    if (start) begin
      seen <= 0;
      wrong <= 0;
      first_place <= 0;
      first_cycle <= 0;
      first_word <= 0;
      fault <= 0;
      fault_cycle <= 0;
      fault_bit <= 0;
      holding <= 0;
      vectors <= 0;
      beat <= 0;
    end else if (step) begin
      if (code != 0) begin
        fault <= code;
        fault_cycle <= cycle;
        case (code)
          VALID: fault_bit <= valid;
          LAST, WRONG_LAST: fault_bit <= last;
          default: fault_bit <= ready;
        endcase
      end
      holding <= valid & (ready !== 1'b1);
      if (valid & !(ready === 1'b1)) begin
        held <= data;
        held_last <= last;
      end
      if (counted) begin
        if (COMPARE & (data !== word[WIDTH-1:0])) begin
          wrong <= wrong + 1;
          if (wrong == 0) begin
            first_place <= seen;
            first_cycle <= cycle;
            first_word <= data;
          end
        end
        seen <= seen + 1;
        beat <= vector_ends ? 32'd0 : beat + 32'd1;
        vectors <= passed;
        if (TIMED & !misplaced) $fwrite(times, "%u%u", CHANNEL, cycle);
      end
    end
endmodule
