// Sink: drives ready. Every other pause lasts until valid, which must not depend on ready.
module fxsim__sink(
    input clk,
    input start,
    input drive,            // set up the next cycle
    input patience,         // whether the first pause waits for valid
    input pause,
    output advance,         // whether it asks for a pause
    input valid,
    output reg ready
);
  reg patient = 0, waiting = 0;
  assign advance = drive & (!waiting | valid);
  wire falls = ready & pause;
  wire patient_now = patient ^ falls;

  initial ready = 0;

  always @(posedge clk)
    if (start) begin
      ready <= 0;
      patient <= patience;
      waiting <= patience;
    end else if (advance) begin
      ready <= !pause;
      patient <= patient_now;
      waiting <= pause & patient_now;
    end
endmodule
