"""Runs the scripted model server of :mod:`gateway.mock`: `python mock_upstream.py --help`."""

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()  # before anything that opens sockets is imported

    from gateway.mock.command import main

    main()
