"""The read side: order details folded from the journal. Written by the projector alone."""
