// Run: reset, idle cycles, words to load, a halt for registers, then the words of the job.
module fxsim__run #(
    parameter RESET = 3,    // cycles
    parameter SETTLE = 1,   // cycles
    parameter LOADS = 0,    // whether something is loaded
    parameter ACTIVE = 1    // level of the reset
) (
    input clk,
    input go,               // begin
    input play,             // go on where there are no registers, or after them
    input [31:0] limit,     // stop in this cycle, unless 0
    input loaded,
    input finished,
    input broken,
    output reg reset,
    output start,           // of everything
    output load_drive,      // set up the next cycle of what is loaded, and
    output load_step,       // look at what this edge samples; the same for the words of the job:
    output drive,
    output step,
    output [31:0] cycle     // number of the cycle that this edge ends
);
  localparam IDLE = 0, RESETS = 1, SETTLES = 2, LOADING = 3, HALTS = 4, PLAYS = 5;

  reg halted /*verilator public_flat_rd*/ = 0;
  reg done /*verilator public_flat_rd*/ = 0;
  reg [31:0] ended /*verilator public_flat_rd*/ = 0;
  reg [2:0] state = IDLE;
  reg [31:0] count = 0;

  wire settled = (state == SETTLES) & (count == SETTLE - 1);
  wire halts = LOADS ? load_step & loaded : settled;
  wire enters = play & (halts | (state == HALTS));
  wire ends = step & (finished | broken | (cycle == limit));
  assign start = (state == IDLE) & go & !done;
  assign load_step = state == LOADING;
  assign load_drive = load_step | (settled & LOADS);
  assign step = state == PLAYS;
  assign drive = step | enters;
  assign cycle = count + 32'd1;

  initial reset = ACTIVE;  // so that a device sees no clock before its first reset

  always @(posedge clk) begin
    count <= cycle;
    if (start) begin
      state <= RESETS;
      reset <= ACTIVE;
      count <= 0;
    end
    if ((state == RESETS) & (count == RESET - 1)) begin
      state <= SETTLES;
      reset <= 1 - ACTIVE;
      count <= 0;
    end
    if (settled & LOADS) begin
      state <= LOADING;
      count <= 0;
    end
    if (halts & !play) begin
      state <= HALTS;
      halted <= 1;
    end
    if (enters) begin
      state <= PLAYS;
      halted <= 0;
      count <= 0;
    end
    if (ends | ((state == LOADING) & broken)) begin
      state <= IDLE;
      done <= 1;
      ended <= cycle;
    end
    if (!go) begin  // also in the middle, where registers could not be written
      state <= IDLE;
      halted <= 0;
      done <= 0;
    end
  end
endmodule
