"""What the services run on: databases, batches, retries, the transport. Knows no coffee."""
