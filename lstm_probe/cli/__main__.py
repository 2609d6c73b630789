"""`python -m lstm_probe`: the command `lstm-probe`."""

from lstm_probe.cli import main

if __name__ == "__main__":
    main()
