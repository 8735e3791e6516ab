"""Routes that know who may call them, and routes that read their requests themselves."""
