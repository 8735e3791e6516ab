"""`siren chaos`: a running system is broken on purpose, and what its clients saw is checked."""
