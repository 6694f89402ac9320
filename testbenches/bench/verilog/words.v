// Words: those of a channel, one after the other, from the file of the job.
module fxsim__words #(
    parameter CHANNEL = 0,  // place in the table at the head of the file
    parameter BITS = 8,     // of a word and its flags, whole bytes
    parameter CHUNK = 256   // words read at once: the file may be large
) (
    input clk,
    input start,            // go back to the first word
    input next,             // go on to the next one
    output reg [63:0] count,
    output reg [BITS-1:0] word
);
  reg [63:0] offset;
  reg [BITS-1:0] buffer [0:CHUNK-1];
  reg [31:0] place = 0;     // in the buffer, of the word after this one
  integer file = 0, status;

  initial count = 0;

  always @(posedge clk)
    if (start) begin
      if (file != 0) $fclose(file);
      file = $fopen("words.bin", "rb");
      status = $fseek(file, 16 * CHANNEL, 0);
      status = $fread(offset, file);
      status = $fread(count, file);
      status = $fseek(file, offset[31:0], 0);
      status = $fread(buffer, file);
      word <= buffer[0];
      place <= 1;
    end else if (next) begin
      word <= buffer[place];
      if (place == CHUNK - 1) begin
        status = $fread(buffer, file);
        place <= 0;
      end else
        place <= place + 1;
    end
endmodule
