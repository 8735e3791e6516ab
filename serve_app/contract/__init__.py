"""What the gateway takes and says: schemas, requests, responses, problems, OpenAPI."""
