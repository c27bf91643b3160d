"""Click sessions from files, replayed click by click: how often the next click is in the list of Martlet, and of baselines."""
