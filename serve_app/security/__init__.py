"""Who calls, and what they may: tokens, roles, limits, whose an order is."""
