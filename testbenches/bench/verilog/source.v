// Source: offers the words of a channel one by one, and holds each until it is taken.
module fxsim__source #(
    parameter CHANNEL = 0,  // place in the table at the head of words.bin
    parameter WIDTH = 8,
    parameter BYTES = 1,    // of a word in the file
    parameter FRAMED = 0,   // whether a byte with flags comes before them
    parameter CHUNK = 256   // words read at once
) (
    input clk,
    input start,
    input drive,            // set up the next cycle
    input pause,
    output advance,         // whether that asks for a pause
    output reg [WIDTH-1:0] data,
    output reg valid,
    output reg last,
    output reg inverted,    // whether last is wrong on purpose
    input ready
);
  localparam BITS = 8 * (BYTES + FRAMED);
  reg [63:0] offset, count, next;
  reg [BITS-1:0] buffer [0:CHUNK-1];  // read a piece at a time: the file may be large
  reg [31:0] place;
  integer file = 0, status;

  wire [BITS+7:0] word = {8'd0, buffer[place]};
  wire [1:0] flags = word[8*BYTES+:2];
  wire free = !valid | ready;
  assign advance = drive & free & (next != count);

  initial begin
    valid = 0;
    data = 0;
    last = 0;
    inverted = 0;
    place = 0;
    next = 0;
    count = 0;
  end

  always @(posedge clk)
    if (start) begin
      if (file != 0) $fclose(file);
      file = $fopen("words.bin", "rb");
      status = $fseek(file, 16 * CHANNEL, 0);
      status = $fread(offset, file);
      status = $fread(count, file);
      status = $fseek(file, offset[31:0], 0);
      status = $fread(buffer, file);
      place <= 0;
      next <= 0;
      valid <= 0;
      data <= 0;
      last <= 0;
    end else if (drive & free) begin
      valid <= advance & !pause;
      if (advance & !pause) begin
        data <= word[WIDTH-1:0];
        last <= flags[0];
        inverted <= flags[1];
        next <= next + 1;
        if (place == CHUNK - 1) begin
          status = $fread(buffer, file);
          place <= 0;
        end else
          place <= place + 1;
      end
    end
endmodule
