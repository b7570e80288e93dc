"""`python -m gateway.mock`: the same program as `python mock_upstream.py`."""

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()  # before anything that opens sockets is imported

    from gateway.mock.command import main

    main()
