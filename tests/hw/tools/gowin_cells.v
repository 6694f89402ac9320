// Models of the cells for which Yosys has none: block memories and multipliers without registers.
// Written after the user guides of Gowin, BSRAM and SSRAM (UG285) and DSP (UG287).

`define INITS(bits) \
  parameter [bits-1:0] \
  INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, INIT_RAM_04 = 0, \
  INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, INIT_RAM_08 = 0, INIT_RAM_09 = 0, \
  INIT_RAM_0A = 0, INIT_RAM_0B = 0, INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, \
  INIT_RAM_0F = 0, INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, \
  INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, INIT_RAM_18 = 0, \
  INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, INIT_RAM_1C = 0, INIT_RAM_1D = 0, \
  INIT_RAM_1E = 0, INIT_RAM_1F = 0, INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, \
  INIT_RAM_23 = 0, INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
  INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, INIT_RAM_2C = 0, \
  INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, INIT_RAM_30 = 0, INIT_RAM_31 = 0, \
  INIT_RAM_32 = 0, INIT_RAM_33 = 0, INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, \
  INIT_RAM_37 = 0, INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
  INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
`define CONTENT { \
  INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, \
  INIT_RAM_38, INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, \
  INIT_RAM_31, INIT_RAM_30, INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, \
  INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, \
  INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, \
  INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, INIT_RAM_17, INIT_RAM_16, \
  INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, INIT_RAM_0F, \
  INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
  INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, \
  INIT_RAM_00}

// A memory of 64 slices of SLICE bits with two ports that read and write, a cycle later. Words are 1, 2, 4, 8, 16, 32 bits of 8 a byte, or 9, 18, 36 of 9; AD counts bits of 8 a byte. The low
// bits of the address of a wide word enable its bytes where it is written.
module gowin_memory #(
  parameter SLICE = 256, A = 32, B = 32, MODE_A = 0, MODE_B = 0,
  parameter [64*SLICE-1:0] CONTENT = 0
) (
  input clka, cea, wea, reseta, clkb, ceb, web, resetb,
  input [13:0] ada, adb, input [35:0] da, db, output reg [35:0] qa, qb
);
  localparam BYTE = SLICE / 32;
  reg [64*SLICE-1:0] bits = CONTENT;
  function integer place(input [13:0] ad, input integer width);
    integer bytes;
    begin
      bytes = width / BYTE;
      place = bytes ? ad[13:3] / bytes * bytes * BYTE : ad[13:3] * BYTE + ad[2:0] / width * width;
    end
  endfunction
  integer k;
  initial begin qa = 0; qb = 0; end
  always @(posedge clka) if (cea) begin
    if (reseta) qa <= 0;
    else if (!wea || MODE_A == 2) for (k = 0; k < A; k = k + 1) qa[k] <= bits[place(ada, A) + k];
    else if (MODE_A == 1) qa <= da;
    if (wea) for (k = 0; k < A; k = k + 1)
      if (A / BYTE < 2 || ada[k / BYTE]) bits[place(ada, A) + k] <= da[k];
  end
  always @(posedge clkb) if (ceb) begin
    if (resetb) qb <= 0;
    else if (!web || MODE_B == 2) for (k = 0; k < B; k = k + 1) qb[k] <= bits[place(adb, B) + k];
    else if (MODE_B == 1) qb <= db;
    if (web) for (k = 0; k < B; k = k + 1)
      if (B / BYTE < 2 || adb[k / BYTE]) bits[place(adb, B) + k] <= db[k];
  end
endmodule

`define SINGLE(name, slice, high) \
module name #( \
  parameter READ_MODE = 0, WRITE_MODE = 0, BIT_WIDTH = high + 1, BLK_SEL = 0, \
  parameter RESET_MODE = "SYNC", `INITS(slice) \
) ( \
  input CLK, CE, WRE, RESET, OCE, input [2:0] BLKSEL, input [13:0] AD, \
  input [high:0] DI, output [high:0] DO \
); \
  wire [35:0] q, ignored; \
  assign DO = q; \
  gowin_memory #(slice, BIT_WIDTH, BIT_WIDTH, WRITE_MODE, 0, `CONTENT) memory ( \
    CLK, CE & BLKSEL == BLK_SEL, WRE, RESET, CLK, 1'b0, 1'b0, 1'b0, \
    AD, AD, {36'b0, DI}, 36'b0, q, ignored); \
endmodule

`define SEMI_DUAL(name, slice, high) \
module name #( \
  parameter READ_MODE = 0, BIT_WIDTH_0 = high + 1, BIT_WIDTH_1 = high + 1, \
  parameter BLK_SEL_0 = 0, BLK_SEL_1 = 0, RESET_MODE = "SYNC", `INITS(slice) \
) ( \
  input CLKA, CEA, RESETA, CLKB, CEB, RESETB, OCE, input [2:0] BLKSELA, BLKSELB, \
  input [13:0] ADA, ADB, input [high:0] DI, output [high:0] DO \
); \
  wire [35:0] q, ignored; \
  assign DO = q; \
  gowin_memory #(slice, BIT_WIDTH_0, BIT_WIDTH_1, 0, 0, `CONTENT) memory ( \
    CLKA, CEA & BLKSELA == BLK_SEL_0, 1'b1, 1'b0, CLKB, CEB & BLKSELB == BLK_SEL_1, 1'b0, RESETB, \
    ADA, ADB, {36'b0, DI}, 36'b0, ignored, q); \
endmodule

`define DUAL(name, slice, high) \
module name #( \
  parameter READ_MODE0 = 0, READ_MODE1 = 0, WRITE_MODE0 = 0, WRITE_MODE1 = 0, \
  parameter BIT_WIDTH_0 = high + 1, BIT_WIDTH_1 = high + 1, BLK_SEL_0 = 0, BLK_SEL_1 = 0, \
  parameter RESET_MODE = "SYNC", `INITS(slice) \
) ( \
  input CLKA, CEA, WREA, RESETA, OCEA, CLKB, CEB, WREB, RESETB, OCEB, \
  input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB, input [high:0] DIA, DIB, \
  output [high:0] DOA, DOB \
); \
  wire [35:0] a, b; \
  assign DOA = a; \
  assign DOB = b; \
  gowin_memory #(slice, BIT_WIDTH_0, BIT_WIDTH_1, WRITE_MODE0, WRITE_MODE1, `CONTENT) memory ( \
    CLKA, CEA & BLKSELA == BLK_SEL_0, WREA, RESETA, CLKB, CEB & BLKSELB == BLK_SEL_1, WREB, RESETB, \
    ADA, ADB, {36'b0, DIA}, {36'b0, DIB}, a, b); \
endmodule

`SINGLE(SP, 256, 31)
`SINGLE(SPX9, 288, 35)
`SEMI_DUAL(SDPB, 256, 31)
`SEMI_DUAL(SDPX9B, 288, 35)
`DUAL(DPB, 256, 15)
`DUAL(DPX9B, 288, 17)

`define MULTIPLIER(name, width, more) \
module name (input [width-1:0] A, B more, input ASIGN, BSIGN, CE, CLK, RESET, \
             output [2*width-1:0] DOUT); \
  wire signed [width:0] a = {ASIGN & A[width-1], A}, b = {BSIGN & B[width-1], B}; \
  wire signed [2*width+1:0] product = a * b; \
  assign DOUT = product; \
endmodule
`define CASCADE , SIA, SIB, input ASEL, BSEL

`MULTIPLIER(MULT9X9, 9, `CASCADE)
`MULTIPLIER(MULT18X18, 18, `CASCADE)
`MULTIPLIER(MULT36X36, 36, )
