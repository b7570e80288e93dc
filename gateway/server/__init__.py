"""gunicorn's worker and the client's socket, as the gateway needs them."""
