"""When the blocks of a plan do what: cycles of every beat, depths of queues, foldings."""
