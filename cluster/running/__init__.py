"""One machine's system: started, watched, ended."""
