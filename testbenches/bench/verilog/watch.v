// Watch: says when a device is done, when it hangs, and whether its flag is right.
module fxsim__watch #(
    parameter QUIET = 0,    // cycles after the last word in which another one would show up
    parameter PATIENCE = 0, // cycles without a single transfer that mean that the device hangs
    parameter FLAGGED = 0   // whether there is a flag
) (
    input clk,
    input start,
    input step,             // look at the values that this edge samples
    input [31:0] cycle,     // its number
    input moved,            // whether a word was taken, in or out
    input over,             // whether every word has come out
    input flag,
    input misframed,        // whether a word with a wrong end was taken
    output on,              // it was not finished before this cycle
    output finished,
    output broken           // it hangs, or the flag is wrong
);
  reg stalled /*verilator public_flat_rd*/;
  reg fault /*verilator public_flat_rd*/;
  reg [31:0] fault_cycle /*verilator public_flat_rd*/;
  reg fault_bit /*verilator public_flat_rd*/;
  reg [31:0] quiet;
  reg done, expected;

  wire [31:0] quiet_now = moved ? 32'd0 : quiet + 32'd1;
  wire ends = step & over & (quiet_now >= QUIET);
  wire stalls = step & !over & (quiet_now >= PATIENCE);
  wire lies = FLAGGED & step & (flag !== expected);
  assign on = !done;
  assign finished = done | ends;
  assign broken = stalls | lies;

  initial begin
    done = 0;
    stalled = 0;
    fault = 0;
    quiet = 0;
    expected = 0;
  end

  always @(posedge clk)
    if (start) begin
      done <= 0;
      stalled <= 0;
      fault <= 0;
      quiet <= 0;
      expected <= 0;
    end else if (step) begin
      done <= finished;
      stalled <= stalls;
      quiet <= quiet_now;
      expected <= expected | misframed;
      if (lies) begin
        fault <= 1;
        fault_cycle <= cycle;
        fault_bit <= flag;
      end
    end
endmodule
