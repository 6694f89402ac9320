// Pauses: bursts of random length, the very ones that fxsim.testbenches.bench.pauses draws.
module fxsim__pauses(
    input clk,
    input start,           // draw anew from the seed
    input enable,          // without it, there is never a pause
    input [31:0] seed,
    input advance,         // go on to the next cycle's
    output pause
);
  reg [31:0] state = 1;
  reg [8:0] left = 1;      // cycles of this burst, with the present one
  reg [8:0] coming = 0;    // pauses after a burst of work
  reg idle = 0;
  assign pause = enable & idle;

  reg [31:0] bits;
  reg [8:0] count, after, busy_most, idle_most;
  reg pausing;

  task draw;
    begin
      bits = bits ^ (bits << 13);
      bits = bits ^ (bits >> 17);
      bits = bits ^ (bits << 5);
    end
  endtask

  always @(posedge clk)
    if (start | (enable & advance)) begin
      bits = (seed + 32'd1) * 32'h9e3779b1;
      if (bits == 0) bits = 1;
      if (!start) bits = state;
      count = start ? 9'd0 : left - 9'd1;
      pausing = start | idle;
      after = coming;
      while (count == 0) begin
        if (pausing) begin
          draw;
          case (bits[31:4] % 28'd6)
            0: begin busy_most = 1; idle_most = 1; end
            1: begin busy_most = 3; idle_most = 1; end
            2: begin busy_most = 1; idle_most = 3; end
            3: begin busy_most = 8; idle_most = 8; end
            4: begin busy_most = 20; idle_most = 2; end
            default: begin busy_most = 2; idle_most = 20; end
          endcase
          // So long that every buffer of a network runs empty or full.
          if (bits[31:16] % 16'd50 == 0) idle_most = 400;
          draw;
          count = bits[31:8] % (busy_most + 24'd1);
          draw;
          after = bits[31:8] % (idle_most + 24'd1);
        end else
          count = after;
        pausing = !pausing;
      end
      state <= bits;
      left <= count;
      coming <= after;
      idle <= pausing;
    end
endmodule
