"""The gateway under gunicorn: its worker, request bodies and the clients' sockets."""
