"""The turns under way: greenlets that read an upstream, feed a turn and write to a client."""
