"""Other people's ways of scaling, as policies: what ours is compared with. Pure.

Each file is one peer, written from its published formulas with its shipped defaults; its main knob is the one
field that a sweep varies. What they share is small: reading a view, windows, and placing a count on flavours.
Nothing here is used to scale anything but a simulation.
"""
