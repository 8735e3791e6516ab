"""The services of Siren Order as Ray actors, and the journal that they trust."""
