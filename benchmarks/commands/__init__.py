"""The subcommands of `./martlet bench`, by what they measure. A benchmark is imported when it runs."""
