"""The OpenAPI document of all paths. No I/O.

It is made from the gateway's own tables: the types of request bodies, the formats, the errors.
"""
