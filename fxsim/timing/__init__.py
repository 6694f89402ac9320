"""When the blocks of a plan do what: cycles of every beat, in closed form or on a machine."""
