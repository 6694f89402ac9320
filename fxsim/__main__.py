"""``python -m fxsim``: the command line, also where its script is not on the path."""

from fxsim.cli import main

if __name__ == "__main__":
    main()
