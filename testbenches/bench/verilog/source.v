// Source: offers the words of a channel one by one, and holds each until it is taken.
module fxsim__source #(
    parameter CHANNEL = 0,
    parameter WIDTH = 8,
    parameter BYTES = 1,    // of a word in the file
    parameter FRAMED = 0    // whether a byte with flags comes before them
) (
    input clk,
    input start,
    input drive,            // set up the next cycle
    input pause,
    output advance,         // whether that asks for a pause
    output reg [WIDTH-1:0] data,
    output reg valid,
    output reg last,
    output reg misframed,   // whether it is now clear that the frame is wrong
    input ready
);
  localparam BITS = 8 * (BYTES + FRAMED);
  reg [63:0] next;
  wire [63:0] count;
  wire [BITS-1:0] word;
  wire [BITS+7:0] wide = {8'd0, word};
  wire [1:0] flags = wide[8*BYTES+:2];
  wire offers = advance & !pause;

  fxsim__words #(.CHANNEL(CHANNEL), .BITS(BITS)) words(
      .clk(clk), .start(start), .next(offers), .count(count), .word(word));
  wire free = !valid | ready;
  assign advance = drive & free & (next != count);

  initial begin
    valid = 0;
    data = 0;
    last = 0;
    misframed = 0;
    next = 0;
  end

  always @(posedge clk)
    if (start) begin
      next <= 0;
      valid <= 0;
      data <= 0;
      last <= 0;
    end else if (drive & free) begin
      valid <= offers;
      if (offers) begin
        data <= word[WIDTH-1:0];
        last <= flags[0];
        misframed <= flags[1];
        next <= next + 1;
      end
    end
endmodule
