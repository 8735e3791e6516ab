"""`siren verify`: all databases against each other."""
