"""Software resets a network in the middle of a frame, and clears its errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxsim.hw.accelerator import Accelerator
from fxsim.hw.edges.control import registers_of
from fxsim.simulator import simulate
from fxsim.testbenches.bench.packed import pack_words
from fxsim.testbenches.cases.samples import chain, random_inputs

OFFSETS = {register.name: register.offset for register in registers_of([])}


class Driver:
    """Clock, streams and registers of an accelerator, by hand."""

    def __init__(self, ctx, top):
        self._ctx, self._top = ctx, top
        self.words = []

    async def tick(self, **values):
        """A cycle, after values are set at ports."""
        for name, value in values.items():
            self._ctx.set(getattr(self._top, name), value)
        if self._ctx.get(self._top.m_axis_tvalid & self._top.m_axis_tready):
            self.words.append(self._ctx.get(self._top.m_axis_tdata))
        for level in (0, 1):
            self._ctx.set(self._top.aclk, level)
            await self._ctx.delay(1e-6)
        self._ctx.set(self._top.aclk, 0)
        await self._ctx.delay(1e-7)

    async def send(self, words, last=True):
        """A frame, or its beginning."""
        for k, word in enumerate(words):
            end = int(last and k == len(words) - 1)
            self._ctx.set(self._top.s_axis_tdata, word)
            self._ctx.set(self._top.s_axis_tlast, end)
            self._ctx.set(self._top.s_axis_tvalid, 1)
            while not self._ctx.get(self._top.s_axis_tready):
                await self.tick()
            await self.tick()
            self._ctx.set(self._top.s_axis_tvalid, 0)

    async def write(self, name, value):
        """Write a register."""
        await self.tick(
            s_axi_awaddr=OFFSETS[name], s_axi_awvalid=1, s_axi_wdata=value, s_axi_wvalid=1
        )
        await self.tick(s_axi_awvalid=0, s_axi_wvalid=0)
        for _ in range(3):
            await self.tick()

    async def read(self, name):
        """Read a register."""
        await self.tick(s_axi_araddr=OFFSETS[name], s_axi_arvalid=1)
        value = self._ctx.get(self._top.s_axi_rdata)
        await self.tick(s_axi_arvalid=0)
        return value


def run(script):
    """Run a script on a network of two layers; the network, frames, and the words wanted."""
    network = replace(chain(["first", "second"]), control=True)
    top = Accelerator(network)
    x = random_inputs(network, 4)
    beat, leaving = top.plan.input.beat, top.plan.output.beat
    beats, given = top.plan.input.count, top.plan.output.count
    words = list(pack_words(x, lanes=beat.lanes, stride=8))
    frames = [words[k : k + beats] for k in range(0, len(words), beats)]
    wanted = list(pack_words(np.asarray(simulate(network, x)), lanes=leaving.lanes, stride=8))
    answers = [wanted[k : k + given] for k in range(0, len(wanted), given)]

    async def bench(ctx):
        driver = Driver(ctx, top)
        ctx.set(top.m_axis_tready, 1)
        ctx.set(top.s_axi_bready, 1)
        ctx.set(top.s_axi_rready, 1)
        ctx.set(top.s_axi_wstrb, 15)
        for level in (0, 1):
            await driver.tick(aresetn=level)
        await script(driver, frames, answers)

    simulator = Simulator(top)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("sent", [1, 2])
def test_reset_in_the_middle_of_a_frame(sent):
    """What was inside is gone; the rest of the frame is too short for one, then all is right."""

    async def script(driver, frames, answers):
        await driver.send(frames[0])
        await driver.send(frames[1][:sent], last=False)
        await driver.write("control", 1)
        driver.words.clear()
        await driver.send(frames[1][sent:] or frames[1][-1:])
        for frame in frames[2:]:
            await driver.send(frame)
        for _ in range(60):
            await driver.tick()
        count = len(answers[0])
        assert driver.words[count:] == [word for answer in answers[2:] for word in answer]
        assert len(driver.words) == 3 * count
        assert await driver.read("frame_errors") == 1

    run(script)


def test_clear_of_the_errors():
    """Errors are counted, and told until they are cleared; the network goes on meanwhile."""

    async def script(driver, frames, answers):
        await driver.send(frames[0][:1])
        await driver.send(frames[1][:1])
        await driver.send(frames[2])
        assert await driver.read("frame_errors") == 2
        assert await driver.read("status") == 0b101
        await driver.write("control", 2)
        assert await driver.read("frame_errors") == 0
        assert await driver.read("status") == 0b001
        await driver.send(frames[3])
        for _ in range(60):
            await driver.tick()
        count = len(answers[0])
        assert driver.words[2 * count :] == answers[2] + answers[3]

    run(script)


def test_without_files_there_is_a_port_on_request_only():
    assert not hasattr(Accelerator(chain(["only"])), "s_axi_awaddr")
    assert hasattr(Accelerator(replace(chain(["only"]), control=True)), "s_axi_awaddr")
