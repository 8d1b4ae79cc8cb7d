"""python -m lacuna: the console command."""

from lacuna.cli.main import main

if __name__ == "__main__":
    main()
