"""Which upstream a request goes to, which models there are, which upstreams are healthy."""
