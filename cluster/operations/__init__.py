"""What an operator does with a system or its databases."""
