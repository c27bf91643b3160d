"""Where Kafka and Redis of a home are and how they are entered: every client builds its connection from these addresses."""
