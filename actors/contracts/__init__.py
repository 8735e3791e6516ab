"""What the services say to each other, and what no command may be."""
