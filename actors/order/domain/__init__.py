"""The business of ordering coffee ahead, as pure functions. Knows no database, no Ray, no HTTP."""
