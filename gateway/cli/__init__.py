"""The command `reasoning-gateway`: starts the server, checks its settings, finds what is wrong.

:mod:`.main` has the command line; each subcommand has a module of its own.
"""
