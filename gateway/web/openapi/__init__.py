"""The OpenAPI document of all paths, made of what the gateway itself uses: the types of request
bodies, the names of formats, the errors and their statuses. No I/O.
"""
