"""`python -m medrag`: the command line."""

from medrag.cli.main import main

if __name__ == "__main__":
    main()
